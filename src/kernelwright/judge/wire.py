"""Tensors between processes: one anonymous file per message, a JSON header and raw bytes.

Candidates answer through this format, so reading it must be safe on hostile bytes: no pickle, each size checked against
the file before memory is taken, contents copied with ``pread`` (a mapped file that is cut short would kill the reader
with SIGBUS). Python objects beyond plain values travel only from the judge to a
worker, never back (``trusted=True``); so do files that are mapped where they are read (``mapped=True``).

Where the judge vouches for a candidate, tensors on a GPU need not leave it: the file then says where they lie, and the
reader copies them from there (``lend``). The reader must allow that (``lender``): no stranger may point at memory.

Layout: 8 bytes ``KWTENSOR``, 8 bytes little-endian header length, the header, then each tensor's bytes at its offset.
A file that is made before its content is known (``Room``) has a header of fixed length, filled up with spaces.
"""

import base64
import dataclasses
import io
import json
import math
import mmap
import os
import pickle
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import Any, NamedTuple, Protocol

import torch

from kernelwright.judge.files import anonymous_file, write_all
from kernelwright.problems.structure import map_leaves

MAGIC = b"KWTENSOR"
MAX_HEADER = 16 << 20
ALIGN = 64
_CHUNK = 1 << 30
LARGE_BYTES = 64 << 20
"""From here on it is worth while to read a tensor by several threads, or to make room for it beforehand."""
_THREADS = 4
TRIED = 1000
"""Elements of the tensor that is lent to find out whether it can be."""
ROOM_HEADER = 64 << 10
"""Bytes before the first tensor in a file that was made before its content."""

_DTYPES: dict[str, torch.dtype] = {
    str(d).removeprefix("torch."): d
    for d in (
        torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.int16, torch.int8,
        torch.uint8, torch.uint16, torch.uint32, torch.uint64, torch.bool, torch.complex64, torch.complex128,
        torch.float8_e4m3fn, torch.float8_e5m2,
    )
}  # fmt: skip


class Lender(Protocol):
    """How memory of a device is lent between processes, see ``platforms/cuda_sharing.py``."""

    def lend(self, tensor: torch.Tensor) -> tuple[bytes, int]: ...

    def borrowed(self, handle: bytes, offset: int, nbytes: int) -> AbstractContextManager[torch.Tensor]: ...


class Lent(NamedTuple):
    """A file that says where tensors lie, and those tensors: whoever lends keeps them until they were read."""

    fd: int
    tensors: tuple[torch.Tensor, ...]


class WireError(ValueError):
    """The bytes do not follow the format; the message says where."""


def _dense_order(tensor: torch.Tensor) -> list[int] | None:
    """The permutation of dimensions that makes a permuted dense tensor contiguous; ``None`` if there is none."""
    order = sorted(range(tensor.dim()), key=lambda d: (-tensor.stride(d), -tensor.size(d)))
    return order if tensor.permute(order).is_contiguous() else None


def plain(value: Any) -> Any:
    """The same nest in tuples, lists and string-keyed dicts, without named tuples, other mappings and dataclasses."""
    if isinstance(value, tuple):
        return tuple(plain(v) for v in value)
    if isinstance(value, list):
        return [plain(v) for v in value]
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    return value


class Room:
    """A file for tensors of a device that is there before they are, mapped: they are copied right into it.

    For tensors of up to ``size`` bytes together, and for one message after the other: each writes over the one before.
    Fresh memory costs more time than a copy from the device; it is taken here, while others may use the device.
    """

    def __init__(self, size: int) -> None:
        self.size = -(-size // mmap.PAGESIZE) * mmap.PAGESIZE
        self.fd = anonymous_file("tensors")
        try:
            os.posix_fallocate(self.fd, 0, ROOM_HEADER + self.size)
            populate = getattr(mmap, "MAP_POPULATE", 0)
            self._map = mmap.mmap(self.fd, ROOM_HEADER + self.size, flags=mmap.MAP_SHARED | populate)
        except BaseException:
            os.close(self.fd)
            raise

    def tensor(self, like: torch.Tensor, offset: int) -> torch.Tensor | None:
        """Contiguous memory at ``offset`` for the values of ``like``; ``None`` where there is not enough of it."""
        nbytes = like.numel() * like.element_size()
        if not nbytes or offset + nbytes > self.size:
            return None
        return _tensor_over(self._map, ROOM_HEADER + offset, like.shape, like.dtype)

    def close(self) -> None:
        """Its memory goes with the last tensor in it."""
        os.close(self.fd)


def _tensor_over(memory: mmap.mmap, offset: int, shape: Sequence[int], dtype: torch.dtype) -> torch.Tensor:
    count = math.prod(shape) * dtype.itemsize
    return torch.frombuffer(memory, dtype=torch.uint8, count=count, offset=offset).view(dtype).reshape(shape)


class _Writer:
    def __init__(self, trusted: bool, room: Room | None = None):
        self.trusted = trusted
        self.room = room
        self.tensors: list[torch.Tensor] = []
        self.records: list[dict[str, Any]] = []
        self.offset = 0

    def encode(self, value: Any) -> Any:
        if isinstance(value, torch.Tensor):
            return self._tensor(value)
        if value is None or isinstance(value, (bool, int, float, str)):
            return {"v": value}
        if isinstance(value, complex):
            return {"c": [value.real, value.imag]}
        if type(value) is list:
            return {"l": [self.encode(v) for v in value]}
        if type(value) is tuple:
            return {"u": [self.encode(v) for v in value]}
        if type(value) is dict and all(isinstance(k, str) for k in value):
            return {"d": [[k, self.encode(v)] for k, v in value.items()]}
        if self.trusted:
            buffer = io.BytesIO()
            torch.save(value, buffer)
            return {"p": base64.b64encode(buffer.getvalue()).decode()}
        return {"x": f"{type(value).__module__}.{type(value).__qualname__}"}

    def _tensor(self, tensor: torch.Tensor) -> dict[str, Any]:
        flat = tensor.detach()
        if flat.layout is not torch.strided:
            return {"x": f"tensor with layout {flat.layout}"}
        flat = self._placed(flat.resolve_conj().resolve_neg())
        order = None if flat.is_contiguous() else _dense_order(flat)
        dense = flat.permute(order) if order else flat.contiguous()
        nbytes = dense.numel() * dense.element_size()
        self.tensors.append(dense)
        self.records.append({
            "dtype": str(dense.dtype).removeprefix("torch."),
            "shape": list(dense.shape),
            "order": order,
            "offset": self.offset,
            "nbytes": nbytes,
        })  # fmt: skip
        self.offset += -(-nbytes // ALIGN) * ALIGN
        return {"t": len(self.tensors) - 1}

    def _placed(self, tensor: torch.Tensor) -> torch.Tensor:
        """Where the bytes are to be read from."""
        return tensor.cpu() if self.room is None else self._in(self.room, tensor)

    def _in(self, room: Room, tensor: torch.Tensor) -> torch.Tensor:
        """A copy of it in the room, in the order of the caller's stream; where that is full, on the CPU."""
        dense = torch.empty_like(tensor, device="meta")  # its strides are those of a copy
        order = None if dense.is_contiguous() else _dense_order(dense)
        place = room.tensor(dense.permute(order) if order else dense, self.offset)
        if place is None:
            return tensor.cpu()
        place = place if order is None else place.permute(_inverse(order))
        return place.copy_(tensor)


class _LendingWriter(_Writer):
    """Leaves tensors where they are, or with ``copies`` copies them there, in the order of the caller's stream."""

    def __init__(self, trusted: bool, *, copies: bool):
        super().__init__(trusted)
        self.copies = copies

    def _placed(self, tensor: torch.Tensor) -> torch.Tensor:
        return tensor.clone() if self.copies else tensor


def _inverse(order: Sequence[int]) -> list[int]:
    inverse = [0] * len(order)
    for position, dim in enumerate(order):
        inverse[dim] = position
    return inverse


def _bytes_of(tensor: torch.Tensor) -> memoryview:
    if not tensor.numel():
        return memoryview(b"")
    flat = tensor.as_strided((tensor.numel(),), (1,))  # a single element may have any stride
    return flat.view(torch.uint8).numpy().data


def pack(value: Any, *, trusted: bool = False, name: str = "tensors", room: Room | None = None) -> int:
    """Write ``value`` (nested lists, tuples, dicts of tensors and plain values) into an anonymous file.

    Tensors are copied to the CPU; dense permuted layouts (channels-last) keep their strides, others become contiguous.
    What cannot be said in the format becomes its type's name, or with ``trusted=True`` a pickle. In a ``room`` they are
    copied as soon as they are come upon, and a file of its own is made only of what does not fit.
    Returns the file descriptor; the caller closes it.
    """
    writer = _Writer(trusted, room)
    tree = writer.encode(value if trusted else plain(value))
    header = json.dumps({"tree": tree, "tensors": writer.records}).encode()
    if room is not None and 16 + len(header) <= ROOM_HEADER and writer.offset <= room.size:
        header = header.ljust(ROOM_HEADER - 16)
        os.pwrite(room.fd, MAGIC + len(header).to_bytes(8, "little") + header, 0)
        return os.dup(room.fd)
    start = -(-(16 + len(header)) // ALIGN) * ALIGN
    fd = anonymous_file(name)
    try:
        os.pwrite(fd, MAGIC + len(header).to_bytes(8, "little") + header, 0)
        os.ftruncate(fd, start + writer.offset)
        for tensor, record in zip(writer.tensors, writer.records, strict=True):
            write_all(fd, _bytes_of(tensor), start + record["offset"])
    except BaseException:
        os.close(fd)
        raise
    return fd


def lend(value: Any, lender: Lender, *, trusted: bool = False, copies: bool = False) -> Lent:
    """A file that says where the tensors in ``value`` lie; all of them on ``lender``'s device.

    ``copies``: what is lent are copies, made in the order of the current stream, which the caller waits for before it
    hands the file on. Raises ``SharingError`` where the device's memory cannot be lent.
    """
    writer = _LendingWriter(trusted, copies=copies)
    tree = writer.encode(value if trusted else plain(value))
    for tensor, record in zip(writer.tensors, writer.records, strict=True):
        handle, begin = lender.lend(tensor) if tensor.numel() else (b"", 0)
        record["lent"] = [handle.hex(), begin]
    header = json.dumps({"tree": tree, "tensors": writer.records}).encode()
    fd = anonymous_file("lent")
    write_all(fd, MAGIC + len(header).to_bytes(8, "little") + header, 0)
    return Lent(fd, tuple(writer.tensors))


def _read_into(fd: int, view: memoryview, offset: int) -> None:
    """Large ones by several threads: most of the time goes into memory that is touched for the first time."""
    if len(view) <= LARGE_BYTES:
        _read_part(fd, view, offset)
        return
    part = -(-len(view) // _THREADS)
    with ThreadPoolExecutor(_THREADS) as pool:
        begins = range(0, len(view), part)
        for done in [pool.submit(_read_part, fd, view[b : b + part], offset + b) for b in begins]:
            done.result()


def _read_part(fd: int, view: memoryview, offset: int) -> None:
    done = 0
    while done < len(view):
        n = os.preadv(fd, [view[done : done + _CHUNK]], offset + done)
        if n == 0:
            raise WireError("the file ends inside a tensor")
        done += n


def _int(value: Any, what: str, high: int = 1 << 62) -> int:
    if type(value) is not int or not 0 <= value <= high:
        raise WireError(f"{what} is not a size: {value!r}")
    return value


class _Reader:
    def __init__(self, fd: int, trusted: bool, mapped: bool, device: str, lender: Lender | None):
        self.fd, self.trusted, self.mapped, self.device, self.lender = fd, trusted, mapped, device, lender
        size = os.fstat(fd).st_size
        head = os.pread(fd, 16, 0)
        if len(head) != 16 or head[:8] != MAGIC:
            raise WireError("not a tensor file")
        length = int.from_bytes(head[8:], "little")
        if length > min(MAX_HEADER, size):
            raise WireError("header too long")
        try:
            header = json.loads(os.pread(fd, length, 16))
            self.tree: Any = header["tree"]
            self.records: list[Any] = list(header["tensors"])
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise WireError(f"unreadable header: {type(error).__name__}") from None
        self.start = -(-(16 + length) // ALIGN) * ALIGN
        self.size = size
        self.seen: set[int] = set()

    def tensor(self, index: Any) -> torch.Tensor:
        i = _int(index, "tensor index", len(self.records) - 1)
        if i in self.seen:
            raise WireError("a tensor is named twice")
        self.seen.add(i)
        record = self.records[i]
        try:
            dtype = _DTYPES[record["dtype"]]
            shape = [_int(n, "dimension") for n in record["shape"]]
            offset, nbytes = _int(record["offset"], "offset"), _int(record["nbytes"], "length")
            order, lent = record["order"], record.get("lent")
        except (KeyError, TypeError) as error:
            raise WireError(f"unreadable tensor record: {error}") from None
        count = 1
        for n in shape:
            count *= n
        beyond = lent is None and self.start + offset + nbytes > self.size
        if len(shape) > 64 or nbytes != count * dtype.itemsize or beyond:
            raise WireError(f"tensor {i} does not fit its file")
        if lent is None:
            tensor = self._content(shape, dtype, self.start + offset)
        else:
            tensor = self._borrowed(shape, dtype, nbytes, lent)
        if order is not None:
            if not isinstance(order, list) or sorted(order) != list(range(len(shape))):
                raise WireError(f"tensor {i} has an impossible layout")
            tensor = tensor.permute(_inverse(order))
        return tensor if self.device == "cpu" else tensor.to(self.device)

    def _content(self, shape: list[int], dtype: torch.dtype, offset: int) -> torch.Tensor:
        count = math.prod(shape) * dtype.itemsize
        if not self.mapped or count < mmap.PAGESIZE:
            tensor = torch.empty(shape, dtype=dtype)
            _read_into(self.fd, _bytes_of(tensor), offset)
            return tensor
        begin = offset // mmap.ALLOCATIONGRANULARITY * mmap.ALLOCATIONGRANULARITY
        part = mmap.mmap(self.fd, offset + count - begin, access=mmap.ACCESS_COPY, offset=begin)
        return _tensor_over(part, offset - begin, shape, dtype)

    def _borrowed(self, shape: list[int], dtype: torch.dtype, nbytes: int, lent: Any) -> torch.Tensor:
        if self.lender is None:
            raise WireError("it points at memory of a device")
        if not nbytes:
            return torch.empty(shape, dtype=dtype)
        handle, begin = lent
        with self.lender.borrowed(bytes.fromhex(handle), _int(begin, "offset"), nbytes) as source:
            return source.clone().view(dtype).reshape(shape)

    def decode(self, node: Any, depth: int = 0) -> Any:
        if depth > 64 or not isinstance(node, dict) or len(node) != 1:
            raise WireError("unreadable structure")
        [(kind, body)] = node.items()
        match kind:
            case "t":
                return self.tensor(body)
            case "v" if body is None or isinstance(body, (bool, int, float, str)):
                return body
            case "c" if isinstance(body, list) and len(body) == 2:
                return complex(float(body[0]), float(body[1]))
            case "l" if isinstance(body, list):
                return [self.decode(v, depth + 1) for v in body]
            case "u" if isinstance(body, list):
                return tuple(self.decode(v, depth + 1) for v in body)
            case "d" if isinstance(body, list):
                return {str(k): self.decode(v, depth + 1) for k, v in body}
            case "x":
                return Foreign(str(body)[:200])
            case "p" if self.trusted and isinstance(body, str):
                return torch.load(io.BytesIO(base64.b64decode(body)), weights_only=False)
            case _:
                raise WireError(f"unreadable structure: {kind!r}")


class Foreign:
    """A value the format cannot carry; ``type_name`` says what it was."""

    def __init__(self, type_name: str):
        self.type_name = type_name

    def __repr__(self) -> str:
        return f"<{self.type_name}>"


def unpack(
    fd: int, *, trusted: bool = False, mapped: bool = False, device: str = "cpu", lender: Lender | None = None
) -> Any:
    """Read what ``pack`` wrote into fresh memory on ``device``. Raises ``WireError`` for anything else, and
    ``torch.OutOfMemoryError`` where the device is full.

    ``lender``: what ``lend`` wrote can be read too, for whoever wrote it may be believed.

    ``mapped``: a tensor lies in the file until it is on its device, and is read while it is copied; what is written to
    one that stays on the CPU is seen by this process only. For sealed files of the judge.
    """
    reader = _Reader(fd, trusted, mapped, device, lender)
    try:
        return reader.decode(reader.tree)
    except torch.OutOfMemoryError:  # no fault of the file
        raise
    except (ValueError, TypeError, OverflowError, RuntimeError, pickle.UnpicklingError) as error:
        if isinstance(error, WireError):
            raise
        raise WireError(f"unreadable tensor file: {error}") from None


def to_device(value: Any, device: str) -> Any:
    """What ``unpack`` read, with every tensor on ``device``, strides kept. Raises ``WireError`` where that is full."""
    try:
        return map_leaves(lambda leaf: leaf.to(device) if isinstance(leaf, torch.Tensor) else leaf, value)
    except RuntimeError as error:
        raise WireError(f"unreadable tensor file: {error}") from error


def to_host(value: Any) -> Any:
    """Tensors of a device copied to the CPU, as ``pack`` copies them."""
    return map_leaves(lambda leaf: leaf.cpu() if isinstance(leaf, torch.Tensor) else leaf, value)
