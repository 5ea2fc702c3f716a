"""What Metal has and this room has not: programs that use it are refused by name, not by a confusing error later."""

from collections.abc import Iterator
from dataclasses import dataclass

from kernelwright.metal.contract import Severity
from kernelwright.metal.strict.rules import Check, Finding, Rule, add, rule
from kernelwright.metal.strict.view import Program, Role

_TEXTURES = frozenset(
    f"{kind}{suffix}"
    for kind in (
        "texture1d", "texture2d", "texture3d", "texturecube", "texture2d_ms", "depth2d", "depthcube", "depth2d_ms"
    )
    for suffix in ("", "_array")
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Feature:
    """A part of Metal that cannot be run here, and the words that show its use."""

    name: str
    section: str
    what: str
    """Completes: this program uses …"""
    templates: frozenset[str] = frozenset()
    """Names of types that ``<`` follows."""
    types: frozenset[str] = frozenset()
    """Names of types that stand before a variable, a ``*`` or a ``&``."""
    namespaces: frozenset[str] = frozenset()
    attributes: frozenset[str] = frozenset()
    functions: frozenset[str] = frozenset()
    """Words before the return type of a function."""

    @property
    def message(self) -> str:
        number = self.section.split()[0]
        where = number if number[0].isdigit() else self.section
        return f"refused: this program uses {self.what}, which are not supported here (MSL {where})"


_FEATURES = (
    Feature(
        "textures", "2.9 Textures", "textures",
        templates=_TEXTURES | {"texture_buffer"}, attributes=frozenset({"texture"}),
    ),
    Feature(
        "samplers", "2.10 Samplers", "samplers", types=frozenset({"sampler"}), attributes=frozenset({"sampler"}),
    ),
    Feature(
        "imageblocks", "2.11 Imageblocks", "imageblocks",
        templates=frozenset({"imageblock"}), types=frozenset({"threadgroup_imageblock"}),
    ),
    Feature(
        "pixel-types", "2.7 Pixel Data Types", "pixel data types",
        templates=frozenset({
            "r8unorm", "r8snorm", "r16unorm", "r16snorm", "rg8unorm", "rg8snorm", "rg16unorm", "rg16snorm",
            "rgba8unorm", "rgba8snorm", "rgba16unorm", "rgba16snorm", "srgba8unorm", "rgb10a2", "rg11b10f", "rgb9e5",
        }),
    ),
    Feature(
        "ray-tracing", "Ray-Tracing Types", "ray tracing functions",
        templates=frozenset({
            "intersector", "intersection_query", "intersection_function_table", "acceleration_structure",
        }),
        types=frozenset({"primitive_acceleration_structure", "instance_acceleration_structure"}),
        namespaces=frozenset({"raytracing"}), attributes=frozenset({"intersection"}),
    ),
    Feature(
        "visible-functions", "5.1.4 Visible Functions", "visible functions",
        templates=frozenset({"visible_function_table"}), attributes=frozenset({"visible", "stitchable"}),
    ),
    Feature(
        "mesh-shaders", "Mesh Shading Types", "mesh and object functions",
        templates=frozenset({"mesh"}), types=frozenset({"mesh_grid_properties", "object_data"}),
        attributes=frozenset({"mesh", "object", "payload"}),
    ),
    Feature(
        "vertex-functions", "5.1.1 Vertex Functions", "vertex functions",
        attributes=frozenset({"vertex", "patch"}), functions=frozenset({"vertex"}),
    ),
    Feature(
        "fragment-functions", "5.1.2 Fragment Functions", "fragment functions",
        attributes=frozenset({"fragment"}), functions=frozenset({"fragment"}),
    ),
    Feature(
        "stage-in", "5.2.4 Input Assembly", "arguments that vertex descriptors fill (stage_in)",
        attributes=frozenset({"stage_in"}),
    ),
    Feature(
        "command-buffers", "Indirect Command Buffers", "indirect command buffers",
        types=frozenset({"command_buffer", "render_command", "compute_command"}),
    ),
    Feature(
        "tensors", "Tensor Types", "tensors (Metal 4)",
        templates=frozenset({"tensor", "tensor_handle", "tensor_inline", "tensor_offset", "cooperative_tensor"}),
        types=frozenset({"tensor_handle", "tensor_inline", "tensor_offset"}),
    ),
    Feature(
        "performance-primitives", "MetalPerformancePrimitives", "Apple's MetalPerformancePrimitives",
        namespaces=frozenset({"mpp"}),
    ),
)  # fmt: skip


def uses(program: Program, feature: Feature) -> Finding | None:
    """The first place that shows the use of a feature. Names that the program declares itself show nothing."""
    stream = program.stream
    known = feature.templates | feature.types | feature.namespaces
    ours = {name for name in known if program.declares(name)}
    last = len(stream) - 1
    found = [
        Finding(min(i, last), feature.message, attribute.place)
        for i, attribute in stream.all_attributes()
        if attribute.name in feature.attributes
    ]
    for i in stream.each(known - ours):
        text = stream.texts[i]
        behind = stream.text(i + 1)
        template = text in feature.templates and behind == "<"
        namespace = text in feature.namespaces and behind == "::"
        named = stream.is_name(i + 1) or behind in ("*", "&")
        type_ = text in feature.types and named and stream.text(i - 1) not in (".", "->")
        if template or namespace or type_:
            found.append(Finding(i, feature.message))
    found += [Finding(f.start, feature.message) for f in program.functions if f.specifiers & feature.functions]
    return min(found, key=lambda finding: finding.at, default=None)


def _check(feature: Feature) -> Check:
    def check(program: Program) -> Iterator[Finding]:
        found = uses(program, feature)
        if found is not None:
            yield found

    return check


for _feature in _FEATURES:
    _reason = f"Metal has {_feature.what}; this room runs kernels on buffers only."
    add(Rule(_feature.name, _feature.section, _reason, _check(_feature)))


@rule("assembly", "1.5 Metal and C++14", "Metal has no assembly; names of Apple's intrinsics mean nothing elsewhere.")
def assembly(program: Program) -> Iterator[Finding]:
    stream = program.stream
    for i in stream.each(("asm", "__asm", "__asm__")):
        intrinsic = stream.text(i - 1) == ")" and stream.text(i + 1) == "("
        what = "names Apple's intrinsics (__asm), which exist on Apple GPUs only" if intrinsic else "uses assembly"
        yield Finding(i, f"refused: this program {what}")


@rule(
    "function-pointer", "5.1.4 Visible Functions", "Functions chosen at run time are visible functions in tables.",
    severity=Severity.WARNING,
)  # fmt: skip
def function_pointer(program: Program) -> Iterator[Finding]:
    for variable in program.variables:
        stored = variable.role in (Role.GLOBAL, Role.LOCAL, Role.MEMBER)
        if stored and variable.function and variable.pointers and variable.name:
            message = f"{variable.name} points to a function: which one must be known at compile time"
            yield Finding(variable.at, message)


@rule(
    "variadic-function", "1.5 Metal and C++14", "Nothing in Metal reads the arguments that C's ... takes.",
    severity=Severity.WARNING,
)  # fmt: skip
def variadic_function(program: Program) -> Iterator[Finding]:
    for function in program.functions:
        if function.ellipsis and function.body is not None:
            what = function.name or "this lambda"
            yield Finding(function.at, f"{what} takes C's variable arguments, which Metal cannot read: use a template")
