"""simdgroup_matrix against torch."""

import pytest
import torch

from kernelwright import metal

pytestmark = pytest.mark.usefixtures("toolchain")
HEAD = "#include <metal_stdlib>\nusing namespace metal;\n"
CHECKED = pytest.mark.parametrize("check", [False, True], ids=["fast", "checked"])
TYPES = pytest.mark.parametrize(
    ("name", "dtype"), [("float", torch.float32), ("half", torch.float16), ("bfloat", torch.bfloat16)]
)


def run(body: str, *tensors: torch.Tensor, name: str = "float", check: bool = False) -> None:
    parameters = ", ".join(f"device {name}* {letter}" for letter in "cab"[: len(tensors)])
    source = f"{HEAD}kernel void k({parameters}, uint lane [[thread_index_in_simdgroup]]) {{\n{body}\n}}\n"
    metal.compile_shader(source, check=check).k(*tensors, threads=32, group_size=32)


def matrices(dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(5)
    a, b = (torch.randn(8, 8, generator=generator).to(dtype) for _ in range(2))
    return torch.zeros(8, 8, dtype=dtype), a, b


@CHECKED
@TYPES
def test_product(name: str, dtype: torch.dtype, check: bool) -> None:
    c, a, b = matrices(dtype)
    body = f"simdgroup_{name}8x8 x, y, z; simdgroup_load(x, a); simdgroup_load(y, b); simdgroup_multiply(z, x, y);"
    run(f"{body} simdgroup_store(z, c);", c, a, b, name=name, check=check)
    torch.testing.assert_close(c, (a.float() @ b.float()).to(dtype))


@CHECKED
def test_product_and_sum_in_place(check: bool) -> None:
    c, a, b = matrices(torch.float32)
    body = """
      simdgroup_float8x8 x, y;
      simdgroup_float8x8 z(3.0f);
      simdgroup_load(x, a, 8, ulong2(0), true);
      simdgroup_load(y, b);
      for (int i = 0; i < 3; i++) simdgroup_multiply_accumulate(z, x, y, z);
      z = z * y;
      simdgroup_store(z, c, 8, ulong2(0), true);"""
    run(body, c, a, b, check=check)
    torch.testing.assert_close(c, ((3 * torch.eye(8) + 3 * a.T @ b) @ b).T.contiguous(), rtol=1e-4, atol=1e-4)


@CHECKED
def test_origins_and_strides(check: bool) -> None:
    c, a = torch.zeros(20, 12), torch.randn(20, 12)
    body = "simdgroup_float8x8 x; simdgroup_load(x, a, 12, ulong2(3, 9)); simdgroup_store(x, c, 12, ulong2(4, 1));"
    run(body, c, a, check=check)
    expected = torch.zeros(20, 12)
    expected[1:9, 4:12] = a[9:17, 3:11]
    assert torch.equal(c, expected)


@CHECKED
def test_fresh_matrices(check: bool) -> None:
    c, a = torch.zeros(8, 8), torch.zeros(8, 8)
    body = """
      simdgroup_float8x8 diagonal(2.0f), filled = make_filled_simdgroup_matrix<float, 8, 8>(5.0f);
      simdgroup_store(diagonal, c);
      simdgroup_store(filled, a);"""
    run(body, c, a, check=check)
    assert torch.equal(c, 2 * torch.eye(8))
    assert torch.equal(a, torch.full((8, 8), 5.0))


@CHECKED
def test_elements_of_threads(check: bool) -> None:
    """Where each lane's two elements stand, and that they can be read and written at any time."""
    c, a, b = matrices(torch.float32)
    body = """
      simdgroup_float8x8 x, y;
      simdgroup_load(x, a);
      const uint row = (lane / 16) * 4 + lane / 2 % 4, column = lane / 8 % 2 * 4 + lane % 2 * 2;
      thread auto& mine = x.thread_elements();
      c[row * 8 + column] = mine[0];
      c[row * 8 + column + 1] = mine[1];
      mine[0] = float(row);
      mine[1] = float(column);
      y.thread_elements() = mine;
      simdgroup_multiply_accumulate(x, x, y, x);
      mine[0] = mine[0] + 1;
      mine[1] = mine[1] + 1;
      simdgroup_store(x, b);"""
    run(body, c, a, b, check=check)
    assert torch.equal(c, a)
    rows, columns = torch.arange(8.0).repeat(8, 1).T, torch.arange(8.0).repeat(8, 1)
    known = torch.where(columns % 2 == 0, rows, columns - 1)
    torch.testing.assert_close(b, known @ known + known + 1)


def test_mixed_types() -> None:
    c = torch.zeros(8, 8)
    a, b = torch.randn(8, 8).half(), torch.randn(8, 8).half()
    source = f"""{HEAD}
    kernel void k(device float* c, device const half* a, device const half* b) {{
      simdgroup_half8x8 x, y;
      simdgroup_float8x8 z = make_filled_simdgroup_matrix<float, 8>(1.0f);
      simdgroup_load(x, a); simdgroup_load(y, b);
      simdgroup_multiply_accumulate(z, x, y, z);
      simdgroup_store(z, c);
    }}"""
    metal.compile_shader(source).k(c, a, b, threads=32, group_size=32)
    torch.testing.assert_close(c, a.float() @ b.float() + 1)


def test_copies_are_copies() -> None:
    c, a, b = matrices(torch.float32)
    body = """
      simdgroup_float8x8 x[2];
      simdgroup_load(x[0], a);
      x[1] = x[0];
      simdgroup_float8x8 z = x[1];
      simdgroup_multiply(x[0], x[1], z);
      simdgroup_store(z, b);
      simdgroup_store(x[0], c);"""
    run(body, c, a, b)
    assert torch.equal(b, a)
    torch.testing.assert_close(c, a @ a)
