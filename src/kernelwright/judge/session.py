"""One problem on one platform: open once, judge many candidates.

``JudgeSession.judge`` is the way of a candidate: read the text, fork a process, compare on every draw, time against the
baselines, hold the time against the hardware's limits, answer with a verdict.
"""

import contextlib
import math
import os
import secrets
import time
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from kernelwright.judge import source
from kernelwright.judge.baselines import Builder, best_baseline, build_and_time
from kernelwright.judge.builds import kept_builds, machine_key
from kernelwright.judge.conduct import ALLOWANCES, Allowance
from kernelwright.judge.correctness import Checked, Correctness, DrawPlan
from kernelwright.judge.feedback import of_success
from kernelwright.judge.findings import Stopped, stop
from kernelwright.judge.gate import gate_at
from kernelwright.judge.interpreter import NOTE, interpreted
from kernelwright.judge.isolation import NoSandbox, choose
from kernelwright.judge.lending import can_lend
from kernelwright.judge.memory import Memory, Sizes, Ticket
from kernelwright.judge.metal import watch_for
from kernelwright.judge.nursery import Nursery, Worker
from kernelwright.judge.origin import Origin, origin
from kernelwright.judge.profiling.remembered import Remembered
from kernelwright.judge.reference.client import Reference, ReferenceFailed, baseline_cache
from kernelwright.judge.reference.sizes import FEWER_ROWS
from kernelwright.judge.settings import JudgeSettings
from kernelwright.judge.spent import Spent
from kernelwright.judge.timing import BLOCK_MS, BLOCKS_MS, STRANGERS, VOUCHED, CandidateSubject, Looks, Stopwatch
from kernelwright.platforms import Platform
from kernelwright.problems.stress import STRESS_KINDS
from kernelwright.schema import (
    BaselineTiming,
    Candidate,
    DeviceFacts,
    DeviceLimits,
    Isolation,
    Limits,
    Problem,
    Profile,
    Speedup,
    Status,
    Target,
    Timing,
    Verdict,
)

if TYPE_CHECKING:
    from kernelwright.judge.limits import ProblemCosts

NATURAL = "natural"
DRAW_BYTES = 4 << 30
KEPT_INPUT_BYTES = 128 << 20
LARGE_INPUT_BYTES = 1 << 30
LARGE_INPUT_STRESS = ("negative", "large")
"""Beyond this size two natural draws and these stress draws must do."""
OTHER_SIZE_SECONDS = 20.0
"""For one call on inputs of another size, compilation included."""
RELATION_SECONDS = 20.0
"""Where one draw takes longer than this to answer, no metamorphic relations are looked for."""
TIMED_DRAWS = 2
"""One where these do not fit side by side: each output that is looked at would else cost a run in float64."""
COLD = 8
"""Times the last-level cache: who moves more than this finds little of it there."""


class JudgeSession:
    """Judges candidates for one problem on one platform. A context manager: it owns two processes.

    The reference's process and the warm parent of the candidates start at once, side by side; the first judgement waits
    for both. Raises ``ReferenceFailed`` (a ``RuntimeError`` with one line) where the problem itself does not work, and
    nothing for what a candidate does.
    """

    def __init__(self, problem: Problem, platform: Platform, settings: JudgeSettings | None = None):
        self.problem = problem
        self.platform = platform
        self.settings = settings or JudgeSettings()
        self.problem_labels: tuple[str, ...] = ()
        self.plan: tuple[DrawPlan, ...] = ()
        self.device: DeviceFacts | None = None
        self._sandbox = choose()
        self._seed = secrets.randbits(31)
        self._gate = gate_at(self.settings.gate)
        self._waiting: list[Reference | Worker] = []
        """Processes that pass the gate themselves, ended ones too."""
        self._spent = Spent(lambda: self._gate.waited + sum(process.waited_before_gate for process in self._waiting))
        self._reference = self._new_reference()
        self._nursery: Nursery | None = None
        self._construction_fd: int | None = None
        self._baselines: tuple[BaselineTiming, ...] | None = None
        self._stopwatch: Stopwatch | None = None
        self._costs: dict[str, Any] = {}
        self._limits: DeviceLimits | None = None
        self._reference_operators: tuple[str, ...] | None = None
        self._other_size: DrawPlan | None = None
        self._ticket: Ticket | None = None
        """For memory of a device that others use too."""
        self._lends: bool | None = None
        """Whether tensors stay on the device between the reference and those who are vouched for; ``None``: untried."""
        self._remembered = Remembered()
        self._machine_key = ""

    # --- the way of a candidate -------------------------------------------------------------------------------------

    def judge(self, candidate: Candidate, *, trusted: bool = False) -> Verdict:
        """Build, check and time one candidate. Whatever it does becomes part of the verdict.

        ``trusted`` marks candidates of built-in authors: they are run without isolation where there is none.
        """
        self.open()
        with self._spent.on("checking"):
            return self._judge(candidate, trusted)

    def _judge(self, candidate: Candidate, trusted: bool) -> Verdict:
        began = time.monotonic()
        checked, finding, worker, metal = Checked(), None, None, None
        timing, speedup, limits, work, remarks, came_from = None, Speedup(), None, None, (), Origin()
        fixed: tuple[str, ...] = ()
        not_timed: str | None = None
        artifacts: dict[str, str] = {}
        try:
            remarks = source.read(candidate)
            metal = watch_for(candidate, self.platform.name)
            interpret = interpreted(candidate, self.platform.name)
            worker = self._spawn(candidate, trusted)
            correctness = Correctness(
                candidate, worker, self._reference, self.settings.precision, self._seed, metal, interpret=interpret
            )
            checked = correctness.checked
            assert self._construction_fd is not None
            correctness.run(self._construction_fd, self.plan)
            artifacts = _artifacts(worker) if any(r.label == "uses_torch_compile" for r in remarks) else {}
            if metal is not None:
                work = metal.work
                not_timed = work.note if work else None
            elif interpret:
                not_timed = NOTE
            elif self.settings.timing:
                baselines = self.baselines()
                with self._spent.on("timing"):
                    timing, speedup = self._time(candidate, worker, baselines, VOUCHED if trusted else STRANGERS)
                limits = self._hold_against_limits(timing)
            came_from = origin(candidate, worker, partial(self._two_draws, lend=worker.lends), self._operators())
            checked.candidate_seconds += came_from.seconds
            if self._other_size is not None and "uses_torch_compile" not in came_from.labels and not interpret:
                worker.extend(OTHER_SIZE_SECONDS)
                wrong = correctness.on_another_size(self._other_size)
                fixed = (f"only for the shapes of this problem: {wrong}",) if wrong else ()
            worker.keep_builds()
        except Stopped as stopped:
            finding = stopped.finding
            timing, speedup = None, Speedup()  # times of a candidate that is not correct mean nothing
        finally:
            if worker is not None:
                worker.close()
        read = (r.label for r in remarks if r.label)
        labels = tuple(dict.fromkeys((*read, *came_from.labels))) + checked.labels
        suspicions = tuple(metal.warnings) if metal else ()
        if fixed:
            labels += ("fixed_shapes",)
        if work is not None and not work.kernels:
            labels += ("launches_no_kernel",)
        if limits is not None and limits.less_work:
            labels += ("less_work",)
        self._remembered.keep(candidate, timing, work)
        return Verdict(
            status=finding.status if finding else Status.CORRECT,
            rule=finding.rule if finding else None,
            precision=self.settings.precision,
            target=candidate.target,
            platform=self.platform.name,
            device=self.device.name if self.device else "",
            problem=self.problem.name,
            candidate=candidate.digest,
            accuracy=checked.accuracy,
            speedup=speedup,
            timing=timing,
            limits=limits,
            metal=work,
            not_timed=not_timed,
            problem_labels=self.problem_labels,
            labels=labels,
            warnings=(
                *(r.warning for r in remarks if r.warning),
                *checked.warnings,
                *suspicions,
                *came_from.warnings,
                *fixed,
            ),
            feedback=finding.feedback if finding else of_success(speedup, not_timed),
            isolation=self._sandbox.kind,
            layers=self._nursery.layers if worker is not None and self._nursery is not None else (),
            artifacts=artifacts,
            seconds=self._seconds(began, worker, checked),
        )

    def profile(self, candidate: Candidate, *, trusted: bool = False) -> Profile | None:
        """Where the time of one call goes. What the candidate does wrong is a note of the Profile, never an exception.

        A Metal candidate on a machine without an Apple GPU is not timed: its Profile is the work that its judgement
        counted (it is judged now, where it was not before), and ``None`` where that counted none.
        """
        from kernelwright.judge.profiling import profiler

        self.open()
        assert self._construction_fd is not None
        kit = profiler.Kit(
            platform=self.platform.name,
            device=self.device.name if self.device else "",
            draw=self.plan[0],
            seed=self._seed,
            construction_fd=self._construction_fd,
            reference=self._reference,
            sandbox=self._sandbox,
            screenshots=self.settings.screenshots,
            remembered=self._remembered,
            spawn=lambda: self._spawn(candidate, trusted, counters=True),
            judge=lambda: self.judge(candidate, trusted=trusted),
            costs=self._problem_costs,
            limits=self._device_limits,
        )
        counted = candidate.target is Target.METAL and self.platform.name != "mps"
        with nullcontext() if counted else self._gate.alone():
            return profiler.profile(candidate, kit)

    def _spawn(self, candidate: Candidate, trusted: bool, *, counters: bool = False) -> Worker:
        """A process for the candidate; one that is vouched for comes with what was compiled of it before."""
        if isinstance(self._sandbox, NoSandbox) and not (trusted or self.settings.unsafe):
            raise stop(
                Status.REJECTED, "isolation",
                "nothing isolates candidates on this machine, so only those of built-in authors are run. "
                "Install bubblewrap (apt-get install -y bubblewrap), or say --unsafe to run this one with your rights.",
            )  # fmt: skip
        assert self._nursery is not None
        worker = self._nursery.spawn(
            memory_limit=self.settings.memory_limit,
            process_limit=self.settings.process_limit,
            time_limit=self.settings.time_limit,
            counters=counters,
        )
        if trusted:
            try:
                self._vouch(candidate, worker)
            except Stopped:
                worker.close()
                raise
        return worker

    def _vouch(self, candidate: Candidate, worker: Worker) -> None:
        """Give it what only candidates of built-in authors get. Raises ``Stopped``."""
        self._machine_key = self._machine_key or machine_key(
            self.platform.name, self.device.name if self.device else "", self._sandbox
        )
        worker.builds = kept_builds(candidate.digest, self._machine_key, self._sandbox)
        if not self._gate.inside:
            worker.hand_gate()
            self._waiting.append(worker)
        if self._lends is None:
            self._lends = can_lend(worker, self._reference)
        worker.lends = self._lends

    def _time(
        self, candidate: Candidate, worker: Worker, baselines: tuple[BaselineTiming, ...], looks: Looks
    ) -> tuple[Timing, Speedup]:
        """Against eager and the best baseline, interleaved."""
        best = best_baseline(baselines)
        names = list(dict.fromkeys(("eager", best)))
        worker.extend(self.settings.time_limit + self.settings.timing_budget)
        stopwatch = self._stopwatch_ready()
        stopwatch.give_inputs(worker)
        samples = stopwatch.measure(names, self.settings.timing_budget, CandidateSubject(worker, candidate, looks))
        timed = {name: samples.ms(name) for name in names}
        timing = Timing(
            candidate_ms=samples.ms("candidate"),
            baselines=tuple(b.model_copy(update={"ms": timed.get(b.name, b.ms)}) for b in baselines),
            blocks=samples.rounds,
            calls=samples.made,
            rechecked=samples.rechecked,
        )
        speedup = Speedup(
            eager=samples.ratio("eager"),
            eager_call=samples.call("eager"),
            best_baseline=samples.ratio(best),
            best_baseline_call=samples.call(best),
            best_baseline_name=best,
        )
        return timing, speedup

    def _hold_against_limits(self, timing: Timing) -> Limits:
        """Share of the hardware's limits. Raises ``Stopped`` for a time that this hardware cannot have taken."""
        from kernelwright.judge import limits

        costs = self._problem_costs()
        device = self._device_limits()
        ms = timing.candidate_ms
        if limits.impossible(ms.high, costs, device):
            device = self._device_limits(refresh=True)  # they may have been measured while the machine was busy
        if limits.impossible(ms.high, costs, device):
            raise stop(
                Status.REJECTED, "impossible_time",
                f"{ms.median:.4g} ms is less than this device needs to read the inputs once: not all work was done",
            )  # fmt: skip
        return self._limits_of(ms.median)

    def _limits_of(self, ms: float) -> Limits:
        from kernelwright.judge.limits import limits

        cached = self.device.cache_bytes if self.device is not None else 0
        cold = COLD * cached if cached and self.platform.flush_between_calls else math.inf
        return limits(self._problem_costs(), self._device_limits(), ms, cold_bytes=cold)

    def _two_draws(self, *, lend: bool) -> tuple[int, int]:
        """Files with the inputs of two natural draws (the first one twice, where there is no other)."""
        natural = [draw for draw in self.plan if draw.kind == NATURAL]
        first, second = natural[0], natural[min(1, len(natural) - 1)]
        return self._inputs_of(first, lend=lend), self._inputs_of(second, lend=lend, beside=True)

    def _inputs_of(self, draw: DrawPlan, *, lend: bool, beside: bool = False) -> int:
        """A new descriptor of a draw's inputs."""
        if draw.inputs_fd is not None and not lend:
            return os.dup(draw.inputs_fd)
        return self._reference.draw(draw.seed, draw.kind, lend=lend, beside=beside)[0]

    # --- what is done once for the problem ----------------------------------------------------------------------------

    def open(self) -> None:
        """Load the problem, make the plan of draws. Idempotent. Raises ``ReferenceFailed``."""
        if not self.plan:
            with self._spent.on("preparing"):
                self._prepare()

    def _prepare(self) -> None:
        self._nursery = self._nursery or Nursery(self._sandbox, self.platform.name, self._gate)
        self._open_reference()
        self.device = DeviceFacts.model_validate(self._reference.ask("device")["facts"])
        self._take_memory(self.device.memory_bytes)
        plan = [self._plan_draw(self._seed + 1, NATURAL)]
        large = plan[0].facts["input_bytes"] > LARGE_INPUT_BYTES
        natural = min(self.settings.natural_draws, 2) if large else self.settings.natural_draws
        plan += [self._plan_draw(self._seed + 1 + k, NATURAL) for k in range(1, natural)]
        for k, kind in enumerate(LARGE_INPUT_STRESS if large else self._stress_kinds(plan[0])):
            with contextlib.suppress(ReferenceFailed):  # the reference need not be defined there: no draw then
                draw = self._plan_draw(self._seed + 1001 + k, kind)
                if draw.facts["any_finite"]:
                    plan.append(draw)
                else:
                    _close(draw.inputs_fd)
        if not large and plan[0].facts["seconds"] <= RELATION_SECONDS:
            plan += self._moved_draws(plan[0])
            with contextlib.suppress(ReferenceFailed):  # there may be no batch, or no other size that it takes
                self._other_size = self._plan_draw(plan[0].seed, FEWER_ROWS)
        with contextlib.suppress(ReferenceFailed):  # not every module lets its operators be watched
            self.problem_labels = tuple(self._reference.ask("labels", seeds=[d.seed for d in plan[:2]])["labels"])
        _, fds = self._reference.request("construction")
        self._construction_fd = fds[0]
        self.plan = tuple(plan)

    def _take_memory(self, total: int) -> None:
        """Where others use the device too: wait until the memory for this problem is free."""
        if self.settings.gate is None or self.platform.name != "cuda":
            return

        def measure() -> Sizes:
            sizes = self._reference.ask("sizes", seed=self._seed + 1)
            return Sizes(sizes["inputs"], sizes["outputs"], sizes["peak"])

        self._ticket = Memory(Path(self.settings.gate), total).admit(measure, self._gate.waiting)

    def _stress_kinds(self, draw: DrawPlan) -> tuple[str, ...]:
        """By the operators of the reference; every basic kind where they cannot be watched."""
        try:
            return tuple(self._reference.ask("stress_kinds", seed=draw.seed)["kinds"])
        except ReferenceFailed:
            return STRESS_KINDS

    def _moved_draws(self, draw: DrawPlan) -> list[DrawPlan]:
        """The draw again in another order of rows, or times a factor, where it is known what that must do."""
        try:
            kinds = self._reference.ask("relations", seed=draw.seed)["kinds"]
            return [self._plan_draw(draw.seed, kind) for kind in kinds]
        except ReferenceFailed:
            return []

    def _new_reference(self) -> Reference:
        made = Reference(self.platform.name, self._gate, self.settings.gate)
        self._waiting.append(made)
        return made

    def _open_reference(self) -> None:
        self._reference.open(self.problem, seed=self._seed, cache=baseline_cache(), draw_bytes=DRAW_BYTES)

    def _plan_draw(self, seed: int, kind: str) -> DrawPlan:
        facts, fds = self._reference.request("plan", seed=seed, kind=kind, kept=KEPT_INPUT_BYTES)
        return DrawPlan(seed, kind, facts, fds[0] if fds else None)

    def baselines(self) -> tuple[BaselineTiming, ...]:
        """Every baseline, built and timed once; one that fails is there with the reason. Empty without timing."""
        self.open()
        if not self.settings.timing:
            return ()
        if self._baselines is None:
            self._baselines = self._build_and_time()
        return self._baselines

    def _build_and_time(self) -> tuple[BaselineTiming, ...]:
        builder = Builder(self._ask, self._renew_reference, self.plan[0].seed, self.settings.baseline_time_limit)
        timed = build_and_time(builder, self._stopwatch_ready, self.settings, self._spent)
        beaten = [b.name for b in timed if b.ms is not None and b.name not in ("eager", best_baseline(timed))]
        self._ask("forget", names=beaten)  # the memory of their CUDA graphs is wanted
        return tuple(map(self._with_limits, timed))

    def _ask(self, op: str, **arguments: Any) -> dict[str, Any]:
        """Of whichever process is the reference's now."""
        return self._reference.ask(op, **arguments)

    def _renew_reference(self) -> None:
        self._reference.close()
        self._reference = self._new_reference()
        self._open_reference()

    def _with_limits(self, baseline: BaselineTiming) -> BaselineTiming:
        if baseline.ms is None:
            return baseline
        with contextlib.suppress(ReferenceFailed):  # they say how much there is to gain, and no more
            return baseline.model_copy(update={"limits": self._limits_of(baseline.ms.median)})
        return baseline

    def _stopwatch_ready(self) -> Stopwatch:
        if self._stopwatch is None:
            natural = [draw for draw in self.plan if draw.kind == NATURAL]
            together = TIMED_DRAWS * (natural[0].facts["input_bytes"] + 3 * natural[0].facts["output_bytes"])
            natural = natural[: TIMED_DRAWS if together <= DRAW_BYTES else 1]
            allowance = ALLOWANCES.get(self.platform.name, Allowance())
            block_ms = BLOCKS_MS.get(self.platform.name, BLOCK_MS)
            self._stopwatch = Stopwatch(
                self._reference, natural, self.settings.precision, allowance, self._gate, block_ms
            )
        return self._stopwatch

    def _operators(self) -> tuple[str, ...]:
        """The reference's operators in the order of a call; empty where they cannot be followed."""
        if self._reference_operators is None:
            self._reference_operators = ()
            with contextlib.suppress(ReferenceFailed):
                self._reference_operators = tuple(self._reference.ask("operators", seed=self.plan[0].seed)["operators"])
        return self._reference_operators

    def _problem_costs(self) -> "ProblemCosts":
        from kernelwright.judge.limits import ProblemCosts

        if not self._costs:
            self._costs = self._reference.ask("costs", seed=self.plan[0].seed)["costs"]
        return ProblemCosts(**self._costs)

    def _device_limits(self, *, refresh: bool = False) -> DeviceLimits:
        if self._limits is None or refresh:
            self._limits = DeviceLimits.model_validate(self._reference.ask("limits", refresh=refresh)["limits"])
        return self._limits

    @property
    def eager_error(self) -> float | None:
        """How far eager's answer to the first draw is from float64, in the norm; ``None`` where that is not known."""
        return self.plan[0].facts["eager_error"] if self.plan else None

    # --- the rest -----------------------------------------------------------------------------------------------------

    @property
    def isolation(self) -> Isolation:
        return self._sandbox.kind

    def _seconds(self, began: float, worker: Worker | None, checked: Checked) -> dict[str, float]:
        return {
            "total": time.monotonic() - began,
            "start": worker.start_seconds if worker else 0.0,
            "candidate": checked.candidate_seconds,
            "reference": checked.reference_seconds,
        }

    def close(self) -> None:
        _close(self._construction_fd, *(draw.inputs_fd for draw in self.plan))
        if self._other_size is not None:
            _close(self._other_size.inputs_fd)
        self._construction_fd, self.plan, self._other_size = None, (), None
        if self._nursery is not None:
            self._nursery.close()
        self._reference.close()
        if self._ticket is not None:
            self._ticket.close()
        if self.settings.gate is not None:
            self._spent.write(self.settings.gate)

    def __enter__(self) -> "JudgeSession":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _close(*fds: int | None) -> None:
    for fd in fds:
        if fd is not None:
            os.close(fd)


def _artifacts(worker: Worker) -> dict[str, str]:
    reply = worker.ask("artifacts")
    files = reply.get("files")
    return {str(name): str(text) for name, text in files.items()} if isinstance(files, dict) else {}
