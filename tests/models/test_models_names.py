"""Names, keys, limits and presets: everything that is wrong is one line."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernelwright import models
from kernelwright.models import presets
from kernelwright.models.limits import Limits
from kernelwright.models.names import is_model_name, parse
from kernelwright.models.providers import PROVIDERS
from kernelwright.models.secrets import hidden


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("gpt-5", "names no model: write PROVIDER:MODEL"),
        ("acme:gpt-5", "names no model: write PROVIDER:MODEL"),
        ("openai:", "names no model"),
        ("openai-compatible:llama", "is named openai-compatible:MODEL@URL"),
        ("openai-compatible:llama@ftp://me:password@host", "is named openai-compatible:MODEL@URL"),
        ("openai-compatible:llama@http://me:password@host/v1", "put it in OPENAI_COMPATIBLE_API_KEY"),
        ("openai:gpt-5", "no key for openai: set OPENAI_API_KEY"),
        ("google:gemini-2.5-pro", "set GOOGLE_API_KEY or GEMINI_API_KEY"),
    ],
)
def test_what_names_no_model_is_one_line(name: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for provider in PROVIDERS.values():
        for variable in provider.key_names:
            monkeypatch.delenv(variable, raising=False)
    with pytest.raises(LookupError) as caught:
        models.get(name)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "password@" not in str(caught.value)


def test_names_are_read_and_written() -> None:
    for text in ("openai:gpt-5", "openrouter:qwen/qwen3:free", "openai-compatible:a@b@http://127.0.0.1:80/v1"):
        assert str(parse(text)) == text
        assert is_model_name(text)
    assert not is_model_name("inductor")
    assert not is_model_name("file:openai.py")
    assert parse("ollama:llama3").url == "http://127.0.0.1:11434/v1"


def test_an_address_can_be_moved(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEEPSEEK_BASE_URL", "http://127.0.0.1:1/")
    assert parse("deepseek:deepseek-chat").url == "http://127.0.0.1:1"


@pytest.mark.parametrize("value", ["none", "0", "-3"])
def test_a_limit_that_is_none_is_one_line(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERNELWRIGHT_MODEL_SECONDS", value)
    with pytest.raises(LookupError, match=r"KERNELWRIGHT_MODEL_SECONDS=.* is no number above 0"):
        models.get("ollama:llama3")


@given(sent=st.integers(1, 50), asked_for=st.none() | st.floats(0, 1e4), jitter=st.floats(0, 1))
def test_waits_are_bounded_and_never_shorter_than_asked_for(sent: int, asked_for: float | None, jitter: float) -> None:
    limits = Limits()
    wait = limits.wait(sent, asked_for, jitter)
    if asked_for is None:
        assert 0.5 * limits.first_wait <= wait <= limits.longest_wait
    else:
        assert asked_for <= wait <= asked_for + limits.first_wait


def test_the_line_up_of_the_experiment() -> None:
    members = presets.members("seed-2025")
    assert len(members) == 8
    for wanted in ("claude-sonnet-4", "claude-opus-4", "gpt-4o", "gpt-4.1", "gpt-5", "o3", "chat", "reasoner"):
        assert sum(wanted in member for member in members) == 1
    for name in (member for known in presets.names() for member in presets.members(known)):
        parse(name)


def test_presets_of_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERNELWRIGHT_HOME", str(tmp_path))
    (tmp_path / "presets.toml").write_text('[mine]\nmodels = ["ollama:llama3"]\n')
    assert presets.members("mine") == ("ollama:llama3",)
    with pytest.raises(LookupError, match=r"no swarm 'other'; there is seed-2025, today, mine"):
        presets.members("other")
    for broken in ("[mine]\n", "[mine]\nmodels = [3]\n", "models = \n"):
        (tmp_path / "presets.toml").write_text(broken)
        with pytest.raises(LookupError, match=r"presets\.toml: "):
            presets.members("mine")


@given(st.text(), st.text("0123456789", min_size=6), st.text())
def test_secrets_are_gone(before: str, secret: str, after: str) -> None:
    assert secret not in hidden(before + secret + after, [None, "", secret])
