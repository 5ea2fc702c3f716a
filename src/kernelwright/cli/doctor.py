"""``kernelwright doctor``: what this machine can do."""

from typing import TYPE_CHECKING

from kernelwright.cli import options

if TYPE_CHECKING:
    from kernelwright.cli.objects import DoctorObject


def doctor(*, as_json: options.Json = False) -> None:
    """Say what this machine can do, and for each missing thing the one command that brings it."""
    from contextlib import nullcontext

    from kernelwright.cli import output

    with output.quiet_stdout() if as_json else nullcontext():
        found = _examine()
    if as_json:
        output.print_object(found.to_json())
    else:
        from kernelwright.report.doctor import doctor_view

        sections = {
            name: getattr(found, name)
            for name in ("compilers", "isolation", "targets", "authors", "extras", "providers")
        }
        head = f"kernelwright {found.version} · Python {found.python} · torch {found.torch or 'missing'}"
        devices = [(d.platform, d.facts, d.why_not) for d in found.devices]
        lines = {name: [(c.name, c.available, c.detail, c.fix) for c in checks] for name, checks in sections.items()}
        output.print_rich(doctor_view(head, devices, lines))


def _examine() -> "DoctorObject":
    import platform

    from kernelwright import __version__
    from kernelwright.cli import checks
    from kernelwright.cli.objects import DoctorObject

    tools, packages, found = checks.compilers(), checks.extras(), checks.devices()
    return DoctorObject(
        version=__version__,
        python=platform.python_version(),
        torch=checks.package_version("torch"),
        devices=found,
        compilers=tools,
        isolation=checks.isolation(),
        targets=checks.targets(tools, packages, found),
        authors=checks.authors(),
        extras=packages,
        providers=checks.providers(),
    )
