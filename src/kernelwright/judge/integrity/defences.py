"""What stops attacks: the rules that verdicts name, and the measures that leave nothing to be found."""

from dataclasses import dataclass
from enum import StrEnum


class Layer(StrEnum):
    """Where a defence works."""

    ISOLATION = "isolation"
    PROTOCOL = "protocol"
    NUMERICS = "numerics"
    TIMING = "timing"
    SOURCE = "source"


@dataclass(frozen=True)
class Defence:
    """One rule or measure."""

    name: str
    layer: Layer
    text: str


def _named(layer: Layer, **texts: str) -> dict[str, Defence]:
    return {name: Defence(name, layer, text) for name, text in texts.items()}


RULES: dict[str, Defence] = {
    **_named(
        Layer.SOURCE,
        syntax="the text is Python",
        no_model_new="it defines `ModelNew`, before and after it is imported",
        imports="it imports torch, the standard library and its target's own package, and nothing else",
        binary_blob="no literal in it is machine code",
        toolchain="what its target needs to be checked is installed",
    ),
    **_named(
        Layer.ISOLATION,
        isolation="something isolates the candidate, or the user said `--unsafe`",
        memory_limit="its processes together stay below the memory limit",
        process_limit="it has no more processes than allowed",
        time_limit="it answers in time",
        cpu_limit="no process of it uses more CPU time than the kernel grants",
        process_ended="its process is there when it is asked",
    ),
    **_named(
        Layer.PROTOCOL,
        protocol="what comes through the channel is an answer to what was asked, and every size in it is true",
        # `compile_failed`, `runtime_failed` and `out_of_memory` name the stage at which the candidate raised
        **{"import": "it can be imported"},
        construction="`ModelNew` can be built from the constructor's arguments, and takes the reference's weights",
        forward="a call returns",
        timing="a timed call returns",
        profiling="a profiled call returns",
        plain_tensor="every output is a `torch.Tensor` and no subclass of it",
        device="every output is on the reference's device",
        structure="the outputs are nested as the reference's are",
        shape="every output has the reference's shape",
        dtype="every output has the reference's dtype",
        aliasing="an output shares memory with an input only where the reference's does",
        overlapping_outputs="no output has memory in common with another, or with itself, unless the reference's has",
        input_mutation="inputs come back bitwise unchanged, unless the reference changes them",
        outputs_reused="a later call does not change the outputs of an earlier one",
        no_own_kernel="the outputs depend on a kernel of the candidate's own (every target but `torch`)",
    ),
    **_named(
        Layer.NUMERICS,
        norm="the error norm against float64 is a small multiple of eager's",
        worst="so is the largest error of an element",
        small="so is the mean relative error, small elements included",
        lost="so is the number of elements that are wrong altogether",
        value="integers and truth values are equal",
        nonfinite="NaN and infinities are where the reference has them",
        allclose="outputs are within a published tolerance (precisions `kernelbench` and `gimlet`)",
        nondeterministic="the same inputs, at another address and later, bring an answer that is still right",
        metamorphic_permutation="rows in another order bring the same rows in that order, where the reference's do",
        metamorphic_scaling="an input times a number brings the outputs times that number, where the reference's do",
    ),
    **_named(
        Layer.TIMING,
        clock_disagreement="the judge's clock, in another process, saw no more time pass than the stamps say",
        deferred_work="outputs of timed calls can be handed over as fast as a baseline's",
        background_work="the candidate uses no CPU time while a baseline is timed",
        timed_output="outputs of timed calls, chosen afterwards, are right",
        impossible_time="the time is no less than the device needs to read the inputs once",
    ),
    **{
        f"metal_{kind}": Defence(f"metal_{kind}", Layer.PROTOCOL, text)
        for kind, text in (
            ("out_of_bounds", "no Metal kernel reads or writes outside of its buffers"),
            ("uninitialized", "none reads threadgroup memory that nobody wrote"),
            ("race", "no two threads touch one place, one of them writing, without a barrier"),
            ("divergence", "all threads of a threadgroup reach the same barriers"),
            ("shuffle", "shuffles read from lanes that take part"),
            ("misaligned", "vectors are read and written where they may lie"),
            ("division", "no integer is divided by zero"),
        )
    },
}
"""By the name that ``Verdict.rule`` gives."""

MEASURES: dict[str, Defence] = {
    **_named(
        Layer.ISOLATION,
        namespaces="the process has user, process, mount and IPC namespaces of its own, and an empty `/tmp`",
        no_network="the sandbox's network namespace has no network in it",
        private_files="interpreter, packages and compilers are all the files there are, and they are read-only, "
        "like the root that they hang in",
        clean_environment="the environment holds variables from a list, no keys among them",
        seccomp="the kernel refuses debugging, mounts, keys, BPF, performance events, io_uring and the like",
        kept_builds="what was compiled is kept by the judge alone, for candidates that are vouched for and "
        "correct, and comes back to the very same text only",
        fresh_process="each candidate gets a process that held no other candidate, and everything in it ends with it",
    ),
    **_named(
        Layer.PROTOCOL,
        separate_reference="reference, expected outputs and verdict are in other processes, with other memory",
        raw_outputs="outputs travel as raw bytes with a checked header: nothing of them is executed or unpickled",
        own_text="only `ModelNew` of the candidate's file is used; problem, inputs and weights come from the judge",
        other_weights="the reference's weights come from another seed than the constructor's and are loaded later",
        randomised_weights="parameters and buffers that start at a constant are randomised first",
        late_inputs="on a GPU, inputs get their values late, in the order of the caller's stream, and outputs are read "
        "in that order too",
        traced_origin="three watched calls follow which values PyTorch's operators wrote, and spoil the others",
        runtime_labels="what was compiled by Dynamo is asked of the process, not of the text",
    ),
    **_named(
        Layer.NUMERICS,
        secret_draws="inputs are drawn in another process, under seeds that only the judge knows",
        stress_draws="inputs are scaled, negated, tied, enlarged, spread: whatever suits the reference's operators",
        changed_element="a draw comes back with one element changed, and so does every timed call's: which, is drawn "
        "after the candidate was imported",
        other_size="after everything else, one call on fewer rows says whether the candidate is right for other sizes",
        same_tensors="every other draw comes in the very tensors of the one before",
    ),
    **_named(
        Layer.TIMING,
        outer_clock="the judge's own clock bounds what stamps inside the candidate's process may claim",
        idle_device="on a GPU the whole device is idle before each timed call: hidden work delays what comes next",
        interleaved="candidate and baselines run in short blocks, in random order",
        random_looks="which timed calls are looked at is decided after they returned",
    ),
    **_named(
        Layer.SOURCE,
        remark="a warning with the line, for the reader",
    ),
}
"""What is so by construction: no verdict names it, because there is nothing left to reject."""
