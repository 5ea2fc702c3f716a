"""Options that several commands share."""

from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Print exactly one JSON object on standard output.")]
Target = Annotated[
    str | None, typer.Option(help="The language of the kernels: torch, cpp, cuda, triton, metal.", metavar="TARGET")
]
Precision = Annotated[str, typer.Option(help="The accuracy rule: strict, kernelbench or gimlet.", metavar="PRECISION")]
Platform = Annotated[
    str | None, typer.Option(help="The device: cuda, mps or cpu; by default the best one here.", metavar="PLATFORM")
]
Unsafe = Annotated[bool, typer.Option("--unsafe", help="Run candidates of strangers although nothing isolates them.")]
