"""The analyst that is a language model, with a model that answers what the test says."""

import json
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernelwright import analysis
from kernelwright.analysis import Subject
from kernelwright.analysis.vision import UnusableAnswerError, VisionAnalyst, prompt_for, read_answer
from kernelwright.models import MemoryJournal
from kernelwright.schema import (
    Attempt,
    Bottleneck,
    CallStatus,
    Candidate,
    DeviceFacts,
    Exchange,
    Operation,
    Picture,
    Profile,
    Prompt,
    Roofline,
    Status,
    Target,
    Verdict,
)  # fmt: skip
from loopback_provider import LoopbackProvider, Reply, Way

ANSWER = {"bottleneck": "memory", "change": "fuse it", "expected_gain": 1.8, "confidence": 0.7, "evidence": "31 %"}


@dataclass
class PaperModel:
    answer: str = json.dumps(ANSWER)
    status: CallStatus = CallStatus.ANSWERED
    sees_pictures: bool = True
    name: str = "paper:model"
    asked: list[Prompt] = field(default_factory=list[Prompt])

    def ask(self, prompt: Prompt, key: str) -> Exchange:
        self.asked.append(prompt)
        detail = "" if self.status is CallStatus.ANSWERED else "the server\nfailed"
        return Exchange(key=key, model=self.name, prompt=prompt, status=self.status, answer=self.answer, detail=detail)


@pytest.fixture
def subject() -> Subject:
    profile = Profile(
        tool="torch.profiler",
        platform="cpu",
        device="a processor",
        wall_ms=4.0,
        device_ms=3.5,
        operations=(Operation(name="aten::copy_|x", launches=2.0, host_ms=1.25),),
        counters={"threads_busy": 1.5},
        roofline=Roofline(flops=10**9, bytes_moved=10**7, bandwidth=1e10, flop_rate=1e12, time_ms=4.0),
        pictures=(Picture(name="timeline", png=b"\x89PNG1", caption="One call."), Picture(name="roofline", png=b"2")),
        notes=("no hardware counters",),
    )
    candidate = Candidate(source="class ModelNew: ...", author="a", target=Target.CPP)
    verdict = Verdict(status=Status.CORRECT, problem="softmax", target=Target.CPP)
    attempt = Attempt(run="r", number=3, author="a", candidate=candidate, verdict=verdict, created="")
    facts = DeviceFacts(platform="cpu", name="a processor", memory_bytes=1, cores=8, cache_bytes=32 << 20)
    return Subject(attempt, profile, facts, "a/2/advice")


def test_one_answer_becomes_one_recommendation_and_is_kept(subject: Subject) -> None:
    model, journal = PaperModel(), MemoryJournal()
    advice = VisionAnalyst(model).advise(subject, journal)
    assert (advice.about, advice.analyst, advice.exchanges) == (3, "paper:model", ("a/2/advice",))
    found = advice.recommendation
    assert found is not None and found.bottleneck is Bottleneck.MEMORY and advice.failure == ""
    assert (found.change, found.expected_gain, found.confidence, found.evidence) == ("fuse it", 1.8, 0.7, "31 %")
    assert VisionAnalyst(model).advise(subject, journal) == advice
    assert len(model.asked) == 1 and journal.find("a/2/advice") is not None


def test_the_prompt_holds_figures_and_pictures(subject: Subject) -> None:
    prompt = prompt_for(subject, sees_pictures=True)
    assert all(kind.value in prompt.system for kind in Bottleneck) and "$" not in prompt.system
    (message,) = prompt.messages
    assert message.pictures == subject.profile.pictures
    for part in (
        "softmax", "cpp", "a processor", "4 ms", "3.5 ms", "| aten::copy_/x | 2 | – | 1.25 |", "threads_busy 1.5",
        "25 % of this bound", "Note: no hardware counters", "class ModelNew", "1. timeline: One call.", "32 MiB",
    ):  # fmt: skip
        assert part in message.text


def test_a_model_without_eyes_gets_the_figures_alone(subject: Subject) -> None:
    model = PaperModel(sees_pictures=False)
    assert VisionAnalyst(model).advise(subject, MemoryJournal()).recommendation is not None
    (message,) = model.asked[0].messages
    assert message.pictures == () and "pictures, in this order" not in message.text and "3.5 ms" in message.text


@pytest.mark.parametrize("status", [status for status in CallStatus if status is not CallStatus.ANSWERED])
def test_a_call_that_failed_is_a_failure_in_one_line(subject: Subject, status: CallStatus) -> None:
    advice = VisionAnalyst(PaperModel(status=status)).advise(subject, MemoryJournal())
    assert advice.recommendation is None and advice.failure == f"paper:model: {status}: the server failed"


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ("", "no JSON object"),
        ("fuse everything", "no JSON object"),
        ('{"bottleneck": "memory"}', "no JSON object"),
        (json.dumps(ANSWER | {"change": "  "}), "no change"),
        (json.dumps(ANSWER | {"change": 7}), "no change"),
        (json.dumps(ANSWER | {"expected_gain": "much"}), "expected_gain is no number"),
        (json.dumps(ANSWER | {"confidence": None}), "confidence is no number"),
        (json.dumps(ANSWER | {"confidence": True}), "confidence is no number"),
        ('{"change": "x", "expected_gain": NaN, "confidence": 0.5}', "expected_gain is no number"),
    ],
)
def test_an_answer_without_a_recommendation_is_a_failure(subject: Subject, answer: str, told: str) -> None:
    advice = VisionAnalyst(PaperModel(answer=answer)).advise(subject, MemoryJournal())
    assert advice.recommendation is None and told in advice.failure and "\n" not in advice.failure


@pytest.mark.parametrize(
    ("answer", "gain", "confidence", "bottleneck"),
    [
        (f"I think {{so}}:\n```json\n{json.dumps(ANSWER, indent=1)}\n```\nGood luck {{", 1.8, 0.7, Bottleneck.MEMORY),
        (json.dumps({"change": "first"}) + json.dumps(ANSWER), 1.8, 0.7, Bottleneck.MEMORY),
        (json.dumps({"answer": "below"}) + json.dumps(ANSWER), 1.8, 0.7, Bottleneck.MEMORY),
        (json.dumps(ANSWER | {"expected_gain": "1.4x", "confidence": "65 %"}), 1.4, 0.65, Bottleneck.MEMORY),
        (json.dumps(ANSWER | {"expected_gain": "40%", "confidence": 65}), 1.4, 0.65, Bottleneck.MEMORY),
        (json.dumps(ANSWER | {"expected_gain": 0.2, "confidence": 900}), 1.0, 1.0, Bottleneck.MEMORY),
        (json.dumps(ANSWER | {"expected_gain": 1e9, "confidence": -3}), 1000.0, 0.0, Bottleneck.MEMORY),
        (json.dumps(ANSWER | {"bottleneck": "Bank conflicts!"}), 1.8, 0.7, Bottleneck.BANK_CONFLICTS),
        (json.dumps(ANSWER | {"bottleneck": ["odd"]}), 1.8, 0.7, Bottleneck.UNKNOWN),
        ('{"change": "two\nlines", "expected_gain": 1.8, "confidence": 0.7}', 1.8, 0.7, Bottleneck.UNKNOWN),
    ],
)
def test_answers_are_read_generously(answer: str, gain: float, confidence: float, bottleneck: Bottleneck) -> None:
    found = read_answer(answer)
    assert found.expected_gain == pytest.approx(gain) and found.confidence == pytest.approx(confidence)
    assert found.bottleneck is bottleneck and found.change in ("fuse it", "two lines")


@given(st.one_of(st.text(), st.recursive(st.none() | st.floats() | st.text(), lambda inner: st.lists(inner) |
       st.dictionaries(st.sampled_from([*ANSWER, "x"]), inner)).map(json.dumps)))  # fmt: skip
def test_no_answer_breaks_the_reader(answer: str) -> None:
    try:
        found = read_answer(answer)
    except UnusableAnswerError as error:
        assert "\n" not in str(error)
    else:
        assert 1.0 <= found.expected_gain <= 1000.0 and 0.0 <= found.confidence <= 1.0 and found.change


def test_analysts_by_name() -> None:
    assert analysis.get("rules").name == "rules"
    for name in ("", "rule", "claude"):
        with pytest.raises(LookupError, match="PROVIDER:MODEL"):
            analysis.get(name)


@pytest.mark.parametrize("sees", [True, False])
def test_a_real_server_is_asked_once(subject: Subject, sees: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pydantic_ai")
    said = f"The copies stand out.\n```json\n{json.dumps(ANSWER)}\n```"
    journal = MemoryJournal()
    with LoopbackProvider(lambda _: Reply(text=said)) as provider:
        monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
        monkeypatch.setenv("OPENAI_BASE_URL", f"{provider.url}/v1")
        name = "openai:gpt-4o" if sees else provider.name()
        analyst = analysis.get(name)
        advice = analyst.advise(subject, journal)
        assert analyst.advise(subject, journal) == advice
    (request,) = provider.requests
    assert advice.recommendation == read_answer(said) and advice.analyst == name
    assert request.pictures == (len(subject.profile.pictures) if sees else 0)
    assert "aten::copy_" in request.prompt and "Your prediction is scored" in request.prompt
    assert "sk-secret" not in journal.exchanges["a/2/advice"].model_dump_json()


def test_a_server_that_refuses_is_a_failure_of_the_advice(subject: Subject) -> None:
    pytest.importorskip("pydantic_ai")
    with LoopbackProvider(lambda _: Reply(way=Way.UNAUTHORIZED)) as provider:
        advice = analysis.get(provider.name()).advise(subject, MemoryJournal())
    assert advice.recommendation is None and "unauthorized" in advice.failure and "\n" not in advice.failure
