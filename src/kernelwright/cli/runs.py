"""``kernelwright runs``: what is stored."""

from kernelwright.cli import options


def runs(*, as_json: options.Json = False) -> None:
    """List the stored runs, newest first."""
    from kernelwright.cli import given, output

    with given.store() as store:
        stored = store.summaries()
    if as_json:
        from kernelwright.cli.objects import RunsObject

        output.print_object(RunsObject(runs=stored).to_json())
    elif stored:
        from kernelwright.report import runs_table

        output.print_rich(runs_table(stored))
    else:
        output.print_rich("no runs yet: kernelwright optimize PROBLEM makes the first one")
