"""What runs along an axis: prefix sums, recurrences."""

from fuzz_operators import Draw, Operator, Setting, Shape, Weight
from fuzz_reductions import reduced
from hypothesis import strategies as st


def _along(draw: Draw, shape: Shape) -> Setting | None:
    """An axis that stays."""
    setting = reduced(draw, shape)
    return setting and Setting(shape, setting.words)


def _sequence(draw: Draw, shape: Shape) -> Setting | None:
    if len(shape) != 3 or shape[1] < 3:
        return None
    return Setting(shape, {"a": draw(st.integers(2, 7)) / 8})


def _cell(draw: Draw, shape: Shape) -> Setting | None:
    if len(shape) != 3 or shape[1] < 3:
        return None
    width = draw(st.integers(2, 9))
    weights = {
        "w": Weight("matrix", (shape[2], width), shape[2]),
        "u": Weight("matrix", (width, width), width),
        "b": Weight("shift", (width,)),
    }
    return Setting((*shape[:2], width), weights=weights)


OPERATORS = [
    Operator(
        "prefix sum", _along, "x.cumsum($axis)",
        {
            "one after the other": """
                total, out = torch.zeros_like(x.select($axis, 0)), []
                for part in x.unbind($axis):
                    total = total + part
                    out.append(total)
                return torch.stack(out, $axis)
            """,
            "triangular product": """
                n = x.shape[$axis]
                ones = torch.ones(n, n, dtype=x.dtype).triu()
                return (x.movedim($axis, -1) @ ones).movedim(-1, $axis).contiguous()
            """,
            "doubling": """
                out, step = x.movedim($axis, 0).clone(), 1
                while step < len(out):
                    out = torch.cat([out[:step], out[step:] + out[:-step]])
                    step *= 2
                return out.movedim(0, $axis).contiguous()
            """,
            "blocks of four": """
                carry, out = 0, []
                for block in x.split(4, $axis):
                    out.append(block.cumsum($axis) + carry)
                    carry = out[-1].narrow($axis, -1, 1)
                return torch.cat(out, $axis)
            """,
        },
        {
            "exclusive": "x.cumsum($axis) - x",
            "from the end": "x.flip($axis).cumsum($axis).flip($axis)",
            "no carry between blocks": "torch.cat([block.cumsum($axis) for block in x.split(4, $axis)], $axis)",
            "other axis": "x.cumsum($other)",
            "maxima": "x.cummax($axis).values",
        },
        rows=False,
    ),
    Operator(
        "running maximum", _along, "x.cummax($axis).values",
        {
            "one after the other": """
                top, out = x.select($axis, 0), []
                for part in x.unbind($axis):
                    top = torch.maximum(top, part)
                    out.append(top)
                return torch.stack(out, $axis)
            """,
        },
        {
            "minimum": "x.cummin($axis).values",
            "starts from zero": "x.cummax($axis).values.clamp(min=0)",
            "window of two": "torch.maximum(x, x.roll(1, $axis))",
            "other axis": "x.cummax($other).values",
        },
        rows=False,
    ),
    Operator(
        "linear recurrence", _sequence,
        """
            state, out = torch.zeros_like(x[:, 0]), []
            for t in range(x.shape[1]):
                state = $a * state + x[:, t]
                out.append(state)
            return torch.stack(out, 1)
        """,
        {
            "product with powers": """
                steps = torch.arange(x.shape[1])
                gap = steps[:, None] - steps[None, :]
                powers = torch.where(gap >= 0, $a ** gap.clamp(min=0).to(x.dtype), x.new_zeros(()))
                return torch.einsum("ts,bsc->btc", powers, x)
            """,
            "blocks of three": """
                carry, out = torch.zeros_like(x[:, 0]), []
                for block in x.split(3, 1):
                    state = torch.zeros_like(carry)
                    for t in range(block.shape[1]):
                        state = $a * state + block[:, t]
                        out.append(state + $a ** (t + 1) * carry)
                    carry = out[-1]
                return torch.stack(out, 1)
            """,
            "in place": """
                out = x.clone()
                for t in range(1, x.shape[1]):
                    out[:, t] += $a * out[:, t - 1]
                return out
            """,
        },
        {
            "three terms only": """
                out = x.clone()
                out[:, 1:] += $a * x[:, :-1]
                out[:, 2:] += $a * $a * x[:, :-2]
                return out
            """,
            "no carry between blocks": """
                out = x.clone()
                for t in range(1, x.shape[1]):
                    if t % 3:
                        out[:, t] += $a * out[:, t - 1]
                return out
            """,
            "input scaled too": """
                out = x * (1 - $a)
                for t in range(1, x.shape[1]):
                    out[:, t] += $a * out[:, t - 1]
                return out
            """,
            "one step late": """
                state, out = torch.zeros_like(x[:, 0]), []
                for t in range(x.shape[1]):
                    out.append(state)
                    state = $a * state + x[:, t]
                return torch.stack(out, 1)
            """,
            "factor off by a hundredth": """
                out = x.clone()
                for t in range(1, x.shape[1]):
                    out[:, t] += $a * 1.01 * out[:, t - 1]
                return out
            """,
        },
    ),
    Operator(
        "recurrent cell", _cell,
        """
            state, out = x.new_zeros(x.shape[0], u.shape[0]), []
            for t in range(x.shape[1]):
                state = torch.tanh(x[:, t] @ w + state @ u + b)
                out.append(state)
            return torch.stack(out, 1)
        """,
        {
            "inputs first": """
                given = x @ w + b
                state, out = x.new_zeros(x.shape[0], u.shape[0]), []
                for t in range(x.shape[1]):
                    state = torch.tanh(torch.addmm(given[:, t], state, u))
                    out.append(state)
                return torch.stack(out, 1)
            """,
            "one product for both": """
                both = torch.cat([w, u])
                state, out = x.new_zeros(x.shape[0], u.shape[0]), []
                for t in range(x.shape[1]):
                    state = torch.tanh(torch.cat([x[:, t], state], 1) @ both + b)
                    out.append(state)
                return torch.stack(out, 1)
            """,
        },
        {
            "state transposed": """
                state, out = x.new_zeros(x.shape[0], u.shape[0]), []
                for t in range(x.shape[1]):
                    state = torch.tanh(x[:, t] @ w + state @ u.t() + b)
                    out.append(state)
                return torch.stack(out, 1)
            """,
            "state forgotten after three steps": """
                state, out = x.new_zeros(x.shape[0], u.shape[0]), []
                for t in range(x.shape[1]):
                    state = torch.tanh(x[:, t] @ w + (state @ u if t % 3 else 0) + b)
                    out.append(state)
                return torch.stack(out, 1)
            """,
            "bias left out": """
                state, out = x.new_zeros(x.shape[0], u.shape[0]), []
                for t in range(x.shape[1]):
                    state = torch.tanh(x[:, t] @ w + state @ u)
                    out.append(state)
                return torch.stack(out, 1)
            """,
            "rational tanh": """
                state, out = x.new_zeros(x.shape[0], u.shape[0]), []
                for t in range(x.shape[1]):
                    s = (x[:, t] @ w + state @ u + b).clamp(-3, 3)
                    state = s * (27 + s * s) / (27 + 9 * s * s)
                    out.append(state)
                return torch.stack(out, 1)
            """,
            "state in bfloat16": """
                state, out = x.new_zeros(x.shape[0], u.shape[0]), []
                for t in range(x.shape[1]):
                    state = torch.tanh(x[:, t] @ w + state.bfloat16().to(x.dtype) @ u + b)
                    out.append(state)
                return torch.stack(out, 1)
            """,
        },
    ),
]  # fmt: skip
