"""``kernelwright metal``: compile, run and check Metal kernels on a machine without an Apple GPU."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from kernelwright.cli import options
from kernelwright.cli.metal_source import MetalSource, pair
from kernelwright.cli.usage import fail, usage_errors

if TYPE_CHECKING:
    from kernelwright.cli.metal_objects import MetalObject
    from kernelwright.metal.library import ShaderLibrary
    from kernelwright.metal.nvidia.kernel import Gpu
    from kernelwright.metal.program import Program

NO_PROOF = "no proof that Apple's compiler accepts it, and no word about speed on a Mac."
NOTES = {
    "cpu": f"Compiled and run for this CPU: {NO_PROOF}",
    "cuda": f"Compiled and run for this NVIDIA GPU, without checks: {NO_PROOF}",
}

app = typer.Typer(help="Compile, run and check Metal kernels without a Mac.")

File = Annotated[str, typer.Argument(metavar="FILE", help="A file in Metal Shading Language.")]
KernelName = Annotated[str | None, typer.Option("--kernel", metavar="NAME", help="Which kernel of the file.")]
Threads = Annotated[
    str | None, typer.Option(metavar="N[,N[,N]]", help="Threads in all; by default one for each element of buffer 0.")
]
GroupSize = Annotated[str | None, typer.Option(metavar="N[,N[,N]]", help="Threads in a threadgroup.")]
Buffers = Annotated[
    list[str] | None,
    typer.Option(
        "--buffer",
        metavar="SPEC",
        help="One for each buffer, in order: f32:1024:randn, f32:32x64:zeros:out, i32:=5. Those with :out are shown.",
    ),
]
Memory = Annotated[
    list[str] | None, typer.Option("--threadgroup-memory", metavar="I=BYTES", help="Size of [[threadgroup(I)]].")
]
Includes = Annotated[list[str] | None, typer.Option("--include", metavar="DIR", help="A folder for #include.")]
Defines = Annotated[list[str] | None, typer.Option("--define", metavar="NAME[=VALUE]", help="A macro.")]
Constants = Annotated[list[str] | None, typer.Option("--constant", metavar="NAME=VALUE", help="A function constant.")]
MetalDevice = Annotated[
    Literal["cpu", "cuda"], typer.Option(help="Where to run it: on the CPU, or on an NVIDIA GPU (cuda).")
]
Arch = Annotated[str, typer.Option(metavar="sm_NN", help="The NVIDIA architecture to compile for.")]
Out = Annotated[str | None, typer.Option(metavar="FILE", help="Write it there instead of to standard output.")]
Seed = Annotated[int, typer.Option(help="For buffers with random numbers.")]
Show = Annotated[int, typer.Option(metavar="N", min=0, help="How many values of an output are shown.")]


@app.command()
def run(
    file: File,
    *,
    kernel: KernelName = None,
    threads: Threads = None,
    group_size: GroupSize = None,
    buffer: Buffers = None,
    threadgroup_memory: Memory = None,
    include: Includes = None,
    define: Defines = None,
    constant: Constants = None,
    seed: Seed = 0,
    show: Show = 8,
    metal_device: MetalDevice = "cpu",
    as_json: options.Json = False,
) -> None:
    """Run a kernel on the CPU or an NVIDIA GPU.

    Exit code 0: it ran, 1: it does not compile or broke off, 2: wrong usage, or no such device.
    """
    job = _Job("run", file, include, define, constant, metal_device)
    job.run(kernel, threads, group_size, buffer, threadgroup_memory, seed, show)
    job.answer(as_json)


@app.command()
def check(
    file: File,
    *,
    kernel: KernelName = None,
    threads: Threads = None,
    group_size: GroupSize = None,
    buffer: Buffers = None,
    threadgroup_memory: Memory = None,
    include: Includes = None,
    define: Defines = None,
    constant: Constants = None,
    seed: Seed = 0,
    show: Show = 8,
    as_json: options.Json = False,
) -> None:
    """Compile strictly; with --kernel also run it with every access to memory watched.

    Exit code 0: nothing found, 1: it does not compile or broke a rule, 2: wrong usage.
    """
    job = _Job("check", file, include, define, constant)
    if kernel is None and (threads or group_size or buffer or threadgroup_memory):
        fail("say which kernel to run: --kernel NAME")
    job.run(kernel, threads, group_size, buffer, threadgroup_memory, seed, show)
    job.answer(as_json)


@app.command()
def ptx(
    file: File,
    *,
    arch: Arch = "sm_90",
    kernel: KernelName = None,
    out: Out = None,
    include: Includes = None,
    define: Defines = None,
    constant: Constants = None,
) -> None:
    """Compile to PTX, the text that the driver of an NVIDIA GPU compiles. No GPU is needed.

    Exit code 0: done, 1: it does not compile, 2: wrong usage.
    """
    from kernelwright.cli.metal_ptx import listing
    from kernelwright.metal import MetalCompileError, ToolchainMissing

    source = MetalSource(file, include, define, constant)
    try:
        with usage_errors(ToolchainMissing, ValueError):  # ValueError: a constant, an architecture, a kernel
            warnings, text = listing(source.build, arch, kernel)
    except MetalCompileError as error:
        typer.echo(f"{error}\nFAILED: {file} does not compile", err=True)
        raise typer.Exit(1) from None
    for warning in warnings:
        typer.echo(str(warning), err=True)
    if out is None:
        typer.echo(text, nl=False)
        return
    with usage_errors(OSError):
        Path(out).write_text(text)


class _Job:
    """One command: what was found so far."""

    def __init__(
        self,
        command: Literal["run", "check"],
        file: str,
        include: list[str] | None,
        define: list[str] | None,
        constant: list[str] | None,
        device: Literal["cpu", "cuda"] = "cpu",
    ):
        from kernelwright.metal import MetalCompileError, ToolchainMissing
        from kernelwright.metal.errors import NvidiaMissing

        self.command: Literal["run", "check"] = command
        self.file = file
        self.device: Literal["cpu", "cuda"] = device
        self.gpu: Gpu | None = None
        self.program: Program | None = None
        self.found: dict[str, Any] = {}
        source = MetalSource(file, include, define, constant)
        try:
            # ValueError: a function constant that does not exist
            with usage_errors(ToolchainMissing, NvidiaMissing, ValueError):
                if device == "cuda":
                    from kernelwright.metal.nvidia.kernel import gpu

                    self.gpu = gpu(device)
                backend = self.gpu.backend() if self.gpu else None
                self.program = source.build(checked=command == "check", backend=backend)
            self.found["diagnostics"] = self.program.warnings
        except MetalCompileError as error:
            self.found.update(diagnostics=error.diagnostics, error=f"{file} does not compile")

    def run(
        self,
        kernel: str | None,
        threads: str | None,
        group_size: str | None,
        buffers: list[str] | None,
        memory: list[str] | None,
        seed: int,
        show: int,
    ) -> None:
        """Runs the kernel, where there is one to run."""
        sizes = _sizes("--threads", threads), _sizes("--group-size", group_size)
        from kernelwright.cli.metal_buffers import BufferSpec

        with usage_errors(ValueError):
            specs = [BufferSpec.parse(text) for text in buffers or ()]
            bytes_of = {int(index): int(size) for index, size in (pair(text) for text in memory or ())}
        if self.program is None or (self.command == "check" and kernel is None):
            return
        names = [signature.host_name for signature in self.program.kernels]
        if kernel is None and len(names) == 1:
            kernel = names[0]
        if kernel not in names:
            wish = f"no kernel {kernel}" if kernel else "say which kernel with --kernel"
            fail(f"{wish}: {self.file} has {', '.join(names) or 'none'}")
        self.found.update(kernel=kernel, threads=sizes[0] or (), group_size=sizes[1] or ())
        import torch

        generator = torch.Generator().manual_seed(seed)
        tensors = [spec.tensor(generator) for spec in specs]
        if self.gpu:
            tensors = [tensor.to(self.gpu.device) for tensor in tensors]
        self._call(
            kernel, lambda called: called(*tensors, threads=sizes[0], group_size=sizes[1], threadgroup_bytes=bytes_of)
        )
        if self.gpu and self.found.get("error"):
            return  # what went wrong on a GPU took its memory with it
        from kernelwright.cli.metal_objects import MetalOutput

        self.found["outputs"] = tuple(
            MetalOutput.of(index, spec.dtype, tensor.cpu(), show)
            for index, (spec, tensor) in enumerate(zip(specs, tensors, strict=True))
            if spec.out
        )

    def _call(self, kernel: str, call: Callable[[Any], None]) -> None:
        import torch

        from kernelwright.metal import MetalCheckError
        from kernelwright.metal.errors import MetalRunError

        try:
            call(getattr(self._library(), kernel))
            if self.gpu:
                self.gpu.synchronize()
        except MetalCheckError as error:
            self.found.update(reports=error.reports, error=str(error).splitlines()[0])
        except MetalRunError as error:
            self.found["error"] = str(error)
        except torch.AcceleratorError as error:  # it went wrong on the GPU
            self.found["error"] = f"kernel {kernel}: {str(error).splitlines()[0]}"
        except (RuntimeError, TypeError, ValueError) as error:  # what the kernel cannot be called with
            fail(error)

    def _library(self) -> "ShaderLibrary":
        from kernelwright.metal.library import ShaderLibrary

        assert self.program is not None
        if self.gpu is None:
            return ShaderLibrary(self.program)
        from kernelwright.metal.nvidia.kernel import NvidiaProgram

        return ShaderLibrary(self.program, NvidiaProgram(self.program, self.gpu))

    def answer(self, as_json: bool) -> None:
        """Prints what was found and ends the command."""
        if as_json:
            from kernelwright.cli import output

            output.print_object(self._object().to_json())
        else:
            typer.echo("\n".join(self._lines()))
        raise typer.Exit(1 if self.found.get("error") else 0)

    def _object(self) -> "MetalObject":
        from kernelwright.cli.metal_objects import MetalDiagnostic, MetalKernel, MetalObject, MetalReport

        found = self.found
        return MetalObject(
            command=self.command,
            file=self.file,
            ok=not found.get("error"),
            kernel=found.get("kernel"),
            threads=found.get("threads", ()),
            group_size=found.get("group_size", ()),
            device=self.device,
            kernels=tuple(MetalKernel.of(k) for k in self.program.kernels) if self.program else (),
            diagnostics=tuple(MetalDiagnostic.of(d) for d in found["diagnostics"]),
            reports=tuple(MetalReport.of(r) for r in found.get("reports", ())),
            error=found.get("error", ""),
            outputs=found.get("outputs", ()),
            note=NOTES[self.device],
        )

    def _lines(self) -> list[str]:
        found = self.found
        lines = [str(d) for d in found["diagnostics"]]
        lines += [str(report) for report in found.get("reports", ())]
        for made in found.get("outputs", ()):
            values = ", ".join(f"{value:.6g}" for value in made.values)
            rest = ", …" if len(made.values) < _count(made.shape) else ""
            shape = "x".join(map(str, made.shape))
            lines.append(f"buffer {made.buffer} ({made.dtype} {shape}): {values}{rest}")
        if found.get("error"):
            lines.append(f"FAILED: {found['error']}")
        elif found.get("kernel"):
            verb = "checked" if self.command == "check" else "ran"
            lines.append(f"OK: kernel {found['kernel']} {verb}. {NOTES[self.device]}")
        elif self.program:
            names = ", ".join(kernel.host_name for kernel in self.program.kernels) or "none"
            lines.append(f"OK: {self.file} compiles; kernels: {names}. {NOTES[self.device]}")
        return lines


def _count(shape: tuple[int, ...]) -> int:
    total = 1
    for size in shape:
        total *= size
    return total


def _sizes(option: str, text: str | None) -> tuple[int, ...] | None:
    if text is None:
        return None
    words = text.split(",")
    if not all(word.isdecimal() for word in words) or len(words) > 3:
        fail(f"{option} {text!r} is not one to three numbers, as in 1024 or 64,64")
    return tuple(map(int, words))
