"""Random kernels that keep Metal's rules: barriers and simd operations only where all threads come, and threadgroup
memory exchanged only between barriers. In lockstep they must compute what they compute on fibers."""

import random
from collections.abc import Callable

HEAD = """
#include <metal_stdlib>
using namespace metal;
constant constexpr int four = 4;
float twist(float x, int k) { return k % 2 ? x * 0.5f + 1.0f : -x; }
void bump(thread float& x, float by) { x += by; }
"""

KERNEL = """
kernel void %s(device float* out, device const float* in, constant int* sizes,
               uint3 local [[thread_position_in_threadgroup]], uint t [[thread_index_in_threadgroup]],
               uint lane [[thread_index_in_simdgroup]], uint simd [[simdgroup_index_in_threadgroup]],
               uint3 at [[threadgroup_position_in_grid]], uint3 size [[threads_per_threadgroup]],
               uint3 full [[dispatch_threads_per_threadgroup]], uint3 place [[thread_position_in_grid]]) {
  threadgroup float shared[512];
  const uint g = at.x, n = size.x * size.y * size.z;
  const uint id = g * full.x * full.y * full.z + t;
  float a = float(place.x) * 0.25f, b = in[id & 63], c = 1.0f;
  int k = int(lane) & 3;
  int u = 2, w = sizes[1];
  float4 v = float4(a, b, c, 1.0f);
  float list[4] = {0, 1, 2, 3};
  %s
  out[id * 4] = a;
  %s
  out[id * 4 + 1] = b + c;
  out[id * 4 + 2] = v.x + v.w * float(k);
  out[id * 4 + 3] = list[0] + list[1] + list[2] + list[3] + float(u + w) + float(local.y);
}
"""
"""Four results of each thread; ``sizes``: a limit of loops, a small number, and how many threads do not return."""

GUARDS = ("", "", "if (id >= sizes[2]) return;", "const uint edge = sizes[2]; if (id >= edge && k < 100) return;")
ENDS = ("", "", "if (lane == 3) return;", "if (t & 1) { out[id * 4 + 1] = b; return; }")


class Kernel:
    """One kernel, drawn by its seed."""

    def __init__(self, seed: int):
        self._random = random.Random(seed)
        self._numbers = 0
        self._depth = 0
        self._floats = ["a", "b", "c"]
        self._uniform = ["u", "w"]
        self._guard = self._one_of(*GUARDS)
        lines = [self._for_all() for _ in range(self._random.randrange(3, 9))]
        self.text = KERNEL % (f"k{seed}", "\n  ".join([self._guard, *lines]), self._one_of(*ENDS))

    def _one_of(self, *choices: str) -> str:
        return self._random.choice(choices)

    def _chosen(self, *makers: Callable[[], str]) -> str:
        return self._random.choice(makers)()

    def _name(self, letter: str) -> str:
        self._numbers += 1
        return f"{letter}{self._numbers}"

    def _block(self, statement: Callable[[], str], most: int) -> str:
        """Statements whose declarations end with them."""
        floats, uniform = list(self._floats), list(self._uniform)
        text = " ".join(statement() for _ in range(self._random.randrange(1, most + 1)))
        self._floats, self._uniform = floats, uniform
        return text

    # ---- expressions

    def _same(self, depth: int = 0) -> str:
        """An integer that all threads agree on."""
        if depth > 2:
            return self._one_of(*self._uniform)
        return self._chosen(
            lambda: self._one_of(*self._uniform, "sizes[1]", "int(g)", "four", "3"),
            lambda: f"({self._same(depth + 1)} + {self._same(depth + 1)}) % 11",
            lambda: f"min({self._same(depth + 1)}, {self._same(depth + 1)})",
        )

    def _integer(self) -> str:
        return self._one_of("int(t)", "int(lane)", "int(simd)", "k", "int(id % 7)", self._same())

    def _float(self, depth: int = 0) -> str:
        if depth > 2:
            return self._one_of(*self._floats)

        def more() -> str:
            return self._float(depth + 1)

        return self._chosen(
            lambda: self._one_of(*self._floats),
            lambda: self._one_of("1.25f", "v.x", "v.z", f"list[{self._integer()} & 3]", f"float({self._integer()})"),
            lambda: f"({more()} * {more()} - {more()})",
            lambda: f"max({more()}, {more()})",
            lambda: f"({self._integer()} > {self._integer()} ? {more()} : {more()})",
            lambda: f"in[({self._integer()} + {self._random.randrange(64)}) & 63]",
            lambda: f"twist({more()}, {self._integer()})",
            lambda: f"sin({more()})",
        )

    def _operation(self) -> str:
        value = self._float()
        return self._chosen(
            lambda: f"simd_{self._one_of('sum', 'max', 'min', 'product')}({value})",
            lambda: f"simd_prefix_{self._one_of('inclusive', 'exclusive')}_sum({value})",
            lambda: f"simd_shuffle_{self._one_of('xor', 'up', 'down')}({value}, {self._random.randrange(1, 17)})",
            lambda: f"metal::simd_shuffle({value}, ushort({self._integer()} & 15))",
            lambda: f"simd_broadcast{self._one_of('(' + value + ', 5', '_first(' + value)})",
        )

    def _target(self) -> str:
        return self._one_of("a", "b", "c", "v.x", "v.w", "list[k & 3]", "list[2]")

    # ---- statements

    def _plain(self) -> str:
        """For each thread by itself."""
        i, x = self._name("i"), self._one_of("a", self._name("x"))
        return self._chosen(
            lambda: f"{self._target()} {self._one_of('=', '+=', '-=')} {self._float()};",
            lambda: f"k = ({self._integer()} + {self._integer()}) & 31;",
            lambda: (
                f"if ({self._integer()} < {self._integer()}) {{ {self._plain()} }} "
                f"else {self._one_of('k++', 'c -= a')};"
            ),
            lambda: f"bump({self._one_of('a', 'b', 'c')}, {self._float()});",
            lambda: (
                f"for (int {i} = 0; {i} < ({self._integer()} & 3); {i}++) "
                f"{{ {self._plain()} if ({i} > 1) {self._one_of('break', 'continue')}; b += 1; }}"
            ),
            lambda: (
                f"switch ({self._integer()} & 3) "
                f"{{ case 0: {self._plain()} break; case 1: a += 1; default: c *= 0.5f; }}"
            ),
            lambda: f"{{ float {x} = float(t) * 0.5f; {x} *= {self._float()}; c += {x}; }}",
        )

    def _strided(self) -> str:
        i, type_, start = self._name("i"), self._one_of("int", "uint"), self._one_of("t", "lane", "0", "k", "t + 3")
        limit = self._one_of("40", "sizes[0]", "70", self._same())
        step = self._one_of(f"{i} += n", f"{i} += 32", f"{i}++", f"{i} += n * 2", f"{i} += four")
        inside = self._one_of("", f"list[{i} & 3] += 1.0f;", f"const float q = in[({i} + k) & 63]; c += q;")
        return (
            f"for ({type_} {i} = {start}; {i} {self._one_of('<', '<=')} {type_}({limit}); {step}) "
            f"{{ a += in[{i} & 63] * 0.5f; if ({i} & 1) b = max(b, float({i})); {inside} }}"
        )

    def _meeting(self) -> str:
        """With a simd operation."""

        def named() -> str:
            name, text = self._name("s"), self._operation()
            self._floats.append(name)
            return f"{self._one_of('const float', 'const auto')} {name} = {text};"

        def two() -> str:
            name = self._name("s")
            text = f"float {name} = {self._float()}, {name}b = {self._operation()}; {name} += {name}b;"
            self._floats.append(name)
            return text

        return self._chosen(
            lambda: f"{self._target()} {self._one_of('=', '+=')} {self._operation()} * 0.125f;",
            lambda: f"a = {self._operation()} + {self._operation()} * {self._float()};",
            lambda: f"b = simd_max(simd_min({self._float()}) + {self._float()});",
            lambda: (
                f"if (simd_{self._one_of('any', 'all')}({self._integer()} < {self._integer()})) "
                f"{{ {self._block(self._for_a_simdgroup, 2)} }}"
            ),
            lambda: f"simdgroup_barrier(mem_flags::mem_none); {self._plain()}",
            named,
            two,
        )

    def _for_a_simdgroup(self) -> str:
        self._depth += 1
        makers = [self._meeting, self._meeting, self._plain, self._strided]
        if self._depth < 3:
            makers += [self._simdgroup_branch, self._simdgroup_loop]
        text = self._chosen(*makers)
        self._depth -= 1
        return text

    def _simdgroup_branch(self) -> str:
        condition = self._one_of("simd == 0", "simd % 2 == 1", "u > 3", "simd < uint(w & 3)")
        one, other = (self._block(self._for_a_simdgroup, 2) for _ in range(2))
        return f"if ({condition}) {{ {one} }} else {{ {other} }}"

    def _simdgroup_loop(self) -> str:
        i = self._name("j")
        self._uniform.append(i)
        leave = self._one_of("", f"if ({self._same()} == 3) break;")
        body, rounds = self._block(self._for_a_simdgroup, 2), self._one_of("1", "2", "3")
        text = f"for (int {i} = 0; {i} < {rounds}; {i}++) {{ {body} {leave} }}"
        self._uniform.remove(i)
        return text

    def _exchange(self) -> str:
        barrier = "threadgroup_barrier(mem_flags::mem_threadgroup);"
        source = "t" if self._guard else f"(t + uint({self._integer()} & 63)) % n"  # who has returned writes nothing
        return f"{barrier} shared[t] = {self._float()}; {barrier} {self._target()} = shared[{source}];"

    def _for_all(self) -> str:
        self._depth += 1
        makers = [self._for_a_simdgroup, self._for_a_simdgroup, self._exchange, self._exchange, self._uniform_change]
        if self._depth < 3:
            makers += [self._branch, self._loop, self._uniform_name]
        text = self._chosen(*makers)
        self._depth -= 1
        return text

    def _uniform_change(self) -> str:
        return self._one_of(f"u = {self._same()};", "w++;", f"w += {self._same()};", "in += w & 1;")

    def _uniform_name(self) -> str:
        name, value = self._name("m"), self._same()
        self._uniform.append(name)
        return f"{self._one_of('const int', 'int', 'const auto')} {name} = {value};"

    def _branch(self) -> str:
        one, other = self._block(self._for_all, 3), self._block(self._for_all, 2)
        return f"if ({self._same()} > {self._same()}) {{ {one} }} else {{ {other} }}"

    def _loop(self) -> str:
        i = self._name("d")
        self._uniform.append(i)
        body = self._block(self._for_all, 3)
        skip = self._one_of("", f"if ({self._same()} == 2) continue; {self._block(self._for_all, 1)}")
        text = self._one_of(
            f"for (int {i} = 3; {i} > 0; {i} /= 2) {{ {body} {skip} }}",
            f"int {i} = 2; while ({i} > 0) {{ {body} {i}--; }}",
        )
        self._uniform.remove(i)
        return text


def random_program(first: int, count: int) -> str:
    """Kernels ``k<first>``, … ."""
    return HEAD + "".join(Kernel(seed).text for seed in range(first, first + count))
