"""The texts of a new task's folder: the page that explains everything, a candidate to start from, a worked example."""

from kernelwright.authors import forms
from kernelwright.authors.author import Task
from kernelwright.authors.folder.contents import ATTEMPTS, CANDIDATE, EXAMPLE, PAGE, PROBLEM, TASK, VERDICT
from kernelwright.authors.language_model.conversation import common_values
from kernelwright.authors.language_model.templates import Templates, worked_example
from kernelwright.authors.reference_source import foreign_imports, model_source
from kernelwright.schema import Problem, Target

_START = '''

class ModelNew(Model):
    """The reference itself: correct, and not faster. Write your own forward, with kernels for target {target}."""
'''


def files_of(task: Task, target: Target) -> dict[str, str]:
    """Path inside the folder to text, all but ``task.json``. Raises ``AuthorError`` for a page that does not render."""
    problem, candidate = worked_example(target)
    return {
        PAGE: task_page(task, target),
        PROBLEM: task.problem.source,
        CANDIDATE: start_of(task.problem, target),
        f"{EXAMPLE}/{PROBLEM}": problem + "\n",
        f"{EXAMPLE}/{CANDIDATE}": candidate + "\n",
    }


def start_of(problem: Problem, target: Target) -> str:
    """A candidate that is correct: the reference under the name ``ModelNew``, without the inputs.

    Where the problem is no KernelBench file, its graph written out. Raises ``AuthorError`` where that cannot be done.
    """
    if problem.format == "kernelbench":
        text = model_source(problem.source)
        if not foreign_imports(text):
            return text + _START.format(target=target.value)
    from kernelwright.authors.graph.printer import print_module

    return print_module(forms.captured(problem), doc=["The reference as a graph: correct, and not faster."])


def task_page(task: Task, target: Target) -> str:
    """``TASK.md``: what to do, how to judge and to submit, and the pages that language models get too."""
    values = common_values(task, target)
    templates = Templates(target)
    pages = [templates.render(name, values) for name in ("target", "rules", "device")]
    levers = templates.render("levers", values)
    return "\n\n".join([_opening(task, target, values["interface"]), *pages, f"# What usually pays\n\n{levers}"]) + "\n"


def _opening(task: Task, target: Target, interface: object) -> str:
    lines = [
        f"- {what}: `{line}`"
        for what, field in (("takes", "inputs"), ("holds", "weights"), ("returns", "outputs"))
        for line in getattr(interface, field)
    ]
    called = "\n\nThe module\n\n" + "\n".join(lines) if lines else ""
    return f"""\
# Task: make {task.problem.name} faster

`{PROBLEM}` holds a PyTorch module, `Model`, and draws its inputs. Write `ModelNew` into `{CANDIDATE}`: the same \
function for the same arguments, as fast as you can on this device, with kernels for target **{target.value}**.{called}

| file | what it is |
|---|---|
| `{PROBLEM}` | the reference; do not change it |
| `{CANDIDATE}` | yours: a correct start lies in it, the reference itself |
| `{EXAMPLE}/` | a worked example for this target: another problem, and a candidate that the judge calls correct |
| `{ATTEMPTS}/` | every judgement made here: the candidate and its verdict |
| `{TASK}` | the problem's digest, target `{target.value}`, precision `{task.precision.value}`, \
platform `{task.platform}` |

# How to judge

In this folder:

```
kernelwright judge {PROBLEM} {CANDIDATE} --no-timing
kernelwright judge {PROBLEM} {CANDIDATE}
kernelwright judge {PROBLEM} {CANDIDATE} --json
```

The first answers in seconds whether it is correct; the second times it too, which takes a minute or more; the third \
prints one JSON object for programs. Target, precision and platform come from `{TASK}`. Exit code 0: correct; 1: any \
other verdict; 2: the command was wrong, and one line says why. Each judgement is kept in `{ATTEMPTS}/NUMBER/` as \
`{CANDIDATE}` and `{VERDICT}`, so an earlier candidate is never lost: set out from the best one.

# How to read the answer

`status` is one of

- `correct`: it computes what the reference computes, and broke no rule. Then look at the times.
- `compile_failed`, `runtime_failed`: the feedback shows the first error and your line.
- `mismatch`: wrong numbers, shape or dtype. The feedback says how large the error is and where it sits.
- `rejected`: a rule was broken; `rule` names it, and the rules are below.
- `timed_out`, `out_of_memory`, `crashed`: the limits are below.
- `generation_failed`: the file defines no `ModelNew`.

`vs eager` is the time of plain PyTorch over yours, with its 95 % interval: above 1, yours is faster. What counts is \
the ratio to the best baseline, and only where the whole interval lies above 1.{_untimed(target, task.platform)}

# How to submit

```
kernelwright submit . --author NAME
```

judges every different candidate of this folder but the start once more, in the order in which they were made, and \
stores them as one run. Only these verdicts count; what `{ATTEMPTS}/` says is for you. Submit as often as you like."""


def _untimed(target: Target, platform: str) -> str:
    from kernelwright.judge.interpreter import timed

    if timed(target, platform):
        return ""
    if target is Target.METAL:
        return (
            "\n\n**Here nothing is timed**: there is no Apple GPU. The candidate with the least counted work is best."
        )
    return (
        "\n\n**Here nothing is timed**: there is no GPU, and Triton's interpreter runs the kernels. The verdict says "
        "whether they are right."
    )
