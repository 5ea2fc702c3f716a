"""A printed module is the module: same state, same results, for modules of many kinds."""

import ast
import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from sketches import build
from torch import nn
from torch.utils import _pytree as pytree

from kernelwright.authors import AuthorError
from kernelwright.authors.graph.capture import capture
from kernelwright.authors.graph.printer import print_module
from kernelwright.authors.graph.text import wrapped


class Block(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.out = nn.Linear(width, width)

    def forward(self, x):
        batch, tokens, width = x.shape
        q, k, v = self.qkv(self.norm(x)).chunk(3, dim=-1)
        q, k, v = (t.view(batch, tokens, 2, width // 2).transpose(1, 2) for t in (q, k, v))
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return x + self.out(mixed.transpose(1, 2).reshape(batch, tokens, width))


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(Block(8) for _ in range(2))
        self.head = nn.Sequential(nn.LayerNorm(8), nn.GELU(), nn.Linear(8, 3))

    def forward(self, x):
        for block in self.blocks:
            x = block(x)
        return self.head(x)


class ConvNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 6, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(6),
            nn.ReLU(inplace=True),
            nn.Conv2d(6, 6, 3, groups=3, dilation=2),
            nn.MaxPool2d(2),
        )
        self.up = nn.ConvTranspose2d(6, 4, 3, stride=2, output_padding=1)
        self.norm = nn.GroupNorm(2, 4)

    def forward(self, x):
        return F.adaptive_avg_pool2d(F.silu(self.norm(self.up(self.features(x)))), 1).flatten(1)


class InPlace(nn.Module):
    def forward(self, x):
        y = x.clone()
        y += 1
        y[:, 0] = 0.5
        y[:, 1:3].mul_(2)
        return y.relu_()


class Embedded(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(11, 5, padding_idx=0)
        self.out = nn.Linear(5, 11)
        self.out.weight = self.table.weight

    def forward(self, tokens, mask):
        x = self.table(tokens)
        x = torch.where(mask[..., None], x, torch.zeros_like(x)).sum(1) / mask.sum(1, keepdim=True).clamp(min=1)
        return self.out(x), x.argmax(-1)


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(4, 5, num_layers=2, batch_first=True, bidirectional=True)

    def forward(self, x):
        out, (h, c) = self.lstm(x)
        return {"out": out, "state": [h, (c, None)]}


class Cell(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.LSTMCell(4, 4)

    def forward(self, x, state):
        h, c = state
        for k in range(x.shape[1]):
            h, c = self.cell(x[:, k], (h, c))
        return h, c


class Constants(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.rand(4))
        self.register_buffer("mask", torch.tril(torch.ones(4, 4)).bool(), persistent=False)
        self.register_buffer("steps", torch.arange(4) * 2)
        self.register_buffer("count", torch.tensor(3), persistent=True)
        self.offset = torch.tensor([0.25, -1.0, 2.0, 7.5])

    def forward(self, x, gain: float = 1.0):
        x = x.masked_fill(~self.mask, float("-inf")).softmax(-1)
        return x * self.scale * gain + self.offset + self.steps + torch.arange(4) * self.count


class Named(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weights = nn.ParameterList([nn.Parameter(torch.rand(3, 3)) for _ in range(2)])
        self.table = nn.ParameterDict({"a-b": nn.Parameter(torch.rand(3)), "plain": nn.Parameter(torch.rand(3))})

    def forward(self, pair):
        return pair["x"] @ self.weights[0] + pair["y"][0] @ self.weights[1] * self.table["a-b"] - self.table["plain"]


class Cache(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("seen", torch.zeros(3))

    def forward(self, x):
        self.seen.add_(x.sum(0))
        return x - self.seen


class Aliases(nn.Module):
    def forward(self, x):
        y = x * 2
        return x.clone(), x.t(), y, y.contiguous()


class Reductions(nn.Module):
    def forward(self, x):
        values, places = x.max(dim=1)
        return (
            (values, places),
            x.max(dim=0).values,
            x.std(),
            x.norm(dim=-1, keepdim=True),
            x.cumsum(1).flip(0),
            torch.logsumexp(x, (0, 1)),
            x.topk(2, dim=1).values,
            F.log_softmax(x, -1),
            x.var(dim=0, unbiased=False),
        )


class Mixed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv1d(2, 4, 3, padding="same")
        self.bilinear = nn.Bilinear(4, 4, 2)
        self.pre = nn.Linear(4, 4).half()

    def forward(self, x):
        y = self.conv(x).transpose(1, 2)
        z = torch.einsum("btc,bsc->bts", y, y).to(torch.float16).float()
        padded = F.pad(z, (1, 0, 0, 2), value=1.5)
        return torch.cat([padded, padded.roll(1, 1)], -1), torch.stack([z, z]).mean(0) ** 3, 1 - z / 7, z.triu(1)


CASES: dict[str, tuple[Callable[[], nn.Module], Callable[[], tuple[Any, ...]]]] = {
    "attention": (Attention, lambda: (torch.randn(2, 5, 8),)),
    "convolutions": (ConvNet, lambda: (torch.randn(2, 3, 17, 16),)),
    "in-place": (InPlace, lambda: (torch.randn(3, 4),)),
    "integers": (Embedded, lambda: (torch.randint(0, 11, (3, 6)), torch.rand(3, 6) < 0.5)),
    "lstm": (Recurrent, lambda: (torch.randn(2, 3, 4),)),
    "cell": (Cell, lambda: (torch.randn(2, 3, 4), (torch.randn(2, 4), torch.randn(2, 4)))),
    "constants": (Constants, lambda: (torch.randn(2, 4, 4), 0.5)),
    "named": (Named, lambda: ({"x": torch.randn(2, 3), "y": [torch.randn(2, 3)]},)),
    "cache": (Cache, lambda: (torch.randn(2, 3),)),
    "aliases": (Aliases, lambda: (torch.randn(3, 3),)),
    "reductions": (Reductions, lambda: (torch.randn(3, 4),)),
    "mixed": (Mixed, lambda: (torch.randn(2, 2, 6),)),
    "multi-head": (lambda: nn.MultiheadAttention(8, 2, batch_first=True), lambda: (torch.randn(2, 4, 8),) * 3),
    "gru": (lambda: nn.GRU(3, 4), lambda: (torch.randn(5, 2, 3),)),
    "identity": (lambda: nn.Dropout(0.5), lambda: (torch.randn(3),)),
}


@pytest.mark.parametrize("fold", [False, True], ids=["plain", "folded"])
@pytest.mark.parametrize("name", CASES)
def test_printed_module_is_the_module(name: str, fold: bool) -> None:
    torch.manual_seed(0)
    make, draw = CASES[name]
    reference, inputs = make().eval(), draw()
    source = print_module(capture(reference, inputs), doc=["A test."], fold=fold)
    printed = build(source)
    assert list(printed.state_dict()) == list(reference.state_dict()) or set(printed.state_dict()) == set(
        reference.state_dict()
    )
    printed.load_state_dict(reference.state_dict())
    for _ in range(2):
        given = copy.deepcopy(inputs)
        with torch.no_grad():
            expected, spec = pytree.tree_flatten(copy.deepcopy(reference)(*copy.deepcopy(inputs)))
            found, found_spec = pytree.tree_flatten(copy.deepcopy(printed)(*given))
        assert found_spec == spec
        for a, b in zip(found, expected, strict=True):
            assert a is b or (a.shape, a.dtype) == (b.shape, b.dtype)
            if isinstance(a, torch.Tensor):
                torch.testing.assert_close(a, b)
        for a, b in zip(pytree.tree_leaves(given), pytree.tree_leaves(inputs), strict=True):
            assert not isinstance(a, torch.Tensor) or torch.equal(a, b)
        inputs = draw() if name != "constants" else inputs


def test_outputs_own_their_storage_as_the_references_do() -> None:
    x = torch.randn(3, 3)
    copied, view, doubled, _ = build(print_module(capture(Aliases(), (x,)), doc=["A test."]))(x)
    assert copied.data_ptr() != x.data_ptr() and view.data_ptr() == x.data_ptr()
    assert doubled.data_ptr() != x.data_ptr()


def test_in_place_effects_on_buffers_and_inputs_are_kept() -> None:
    reference = Cache()
    x = torch.ones(2, 3)
    printed = build(print_module(capture(reference, (x,)), doc=["A test."]))
    printed.load_state_dict(reference.state_dict())
    printed(x)
    assert torch.equal(printed.seen, torch.full((3,), 2.0))

    class Writes(nn.Module):
        def forward(self, x):
            x.mul_(2)
            return x.sum()

    y = torch.ones(2)
    build(print_module(capture(Writes(), (torch.ones(2),)), doc=["A test."]))(y)
    assert torch.equal(y, torch.full((2,), 2.0))


def test_tied_weights_stay_tied() -> None:
    printed = build(print_module(capture(Embedded().eval(), CASES["integers"][1]()), doc=["A test."]))
    assert printed.table.weight is printed.out.weight


def test_other_plain_arguments_are_refused() -> None:
    printed = build(print_module(capture(Constants().eval(), (torch.randn(4, 4), 0.5)), doc=["A test."]))
    with pytest.raises(ValueError, match=r"written for gain = 0\.5"):
        printed(torch.randn(4, 4), 0.75)


def test_layers_are_printed_as_themselves() -> None:
    source = print_module(capture(ConvNet().eval(), CASES["convolutions"][1]()), doc=["A test."])
    assert "nn.Conv2d(3, 6, 3, stride=2, padding=1, bias=False)" in source
    assert "self.up = nn.ConvTranspose2d(6, 4, 3, stride=2, output_padding=1)" in source
    assert "torch.ops" not in source


class Masked(nn.Module):
    """A causal mask on weights, as code that computes it anew in every call has it."""

    def __init__(self) -> None:
        super().__init__()
        self.scores = nn.Parameter(torch.randn(4, 4))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        hidden = ~torch.tril(torch.ones(4, 4, dtype=torch.bool, device=x.device))
        return torch.softmax(self.scores.masked_fill(hidden, -torch.inf), -1) @ x


def test_masks_are_folded_as_they_are() -> None:
    module, x = Masked(), torch.randn(4, 3)
    made = build(print_module(capture(module, [x]), doc=["A test."], fold=True))
    made.load_state_dict(module.state_dict())
    torch.testing.assert_close(made(x), module(x))


def test_folding_follows_every_load() -> None:
    class Scaled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.w = nn.Parameter(torch.ones(3))

        def forward(self, x):
            return x * (self.w * 3).exp()

    printed = build(print_module(capture(Scaled(), (torch.ones(3),)), doc=["A test."], fold=True))
    assert list(printed.state_dict()) == ["w"]
    for value in (0.5, -1.0):
        printed.load_state_dict({"w": torch.full((3,), value)})
        torch.testing.assert_close(printed(torch.ones(3)), torch.full((3,), 3 * value).exp())
    assert printed.double()(torch.ones(3, dtype=torch.float64)).dtype is torch.float64


@pytest.mark.parametrize(
    ("module", "inputs", "word"),
    [
        (type("DataDependent", (nn.Module,), {"forward": lambda self, x: x[x > 0]})(), (torch.randn(4),), "shape"),
        (
            type("Big", (nn.Module,), {"forward": lambda self, x: x + BIG})(),
            (torch.randn(1000),),
            "no formula",
        ),
    ],
)
def test_what_cannot_be_printed_is_one_line(module: nn.Module, inputs: tuple[Any, ...], word: str) -> None:
    with pytest.raises(AuthorError, match=word) as caught:
        print_module(capture(module, inputs), doc=["A test."])
    assert "\n" not in str(caught.value)


BIG = torch.randn(1000)


LINES = (
    "difference = wide(self.layers[0].normalisation.bias) - (wide(self.layers[0].normalisation.running_mean) * factor)",
    "quotient = (wide(self.layers[0].normalisation.weight) + torch.rsqrt(wide(self.layers[0].normalisation.variance)))",
    'answer = torch.nn.functional.some_function(first_operand_of_it, "a, b", (second_operand, third), axis=1234)',
    "answer = torch.nn.functional.some_function_with_a_long_name(first_operand_of_it_that_has_a_long_name_as_well)",
    "pair = (torch.nn.functional.some_function(first_operand_of_it), torch.nn.functional.another_function(second_one))",
    "answer = functions[torch.nn.functional.some_key_for_it](first_operand_of_it_with_a_long_name, second_operand_too)",
)


@pytest.mark.parametrize("line", LINES)
def test_broken_lines_mean_the_same(line: str) -> None:
    broken = wrapped(line)
    assert len(broken) > 1
    assert ast.dump(ast.parse("\n".join(broken))) == ast.dump(ast.parse(line))
