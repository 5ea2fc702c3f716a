"""The types that Metal has without a declaration: their names, sizes and address spaces.

Sizes are bytes in memory, from the tables of chapter 2 of the Metal Shading Language Specification.
"""

ADDRESS_SPACES = frozenset(
    {"device", "constant", "thread", "threadgroup", "threadgroup_imageblock", "ray_data", "object_data"}
)

C_WORDS = frozenset({"void", "bool", "char", "short", "int", "long", "float", "double", "signed", "unsigned"})
"""Words that may make up a type together: ``unsigned long int``."""

SCALAR_BYTES = {
    "bool": 1, "char": 1, "uchar": 1, "short": 2, "ushort": 2, "int": 4, "uint": 4, "long": 8, "ulong": 8,
    "half": 2, "bfloat": 2, "float": 4,
}  # fmt: skip

INTEGERS = frozenset({"bool", "char", "uchar", "short", "ushort", "int", "uint", "long", "ulong"})

_SYNONYMS = {
    "int8_t": "char", "uint8_t": "uchar", "int16_t": "short", "uint16_t": "ushort", "int32_t": "int",
    "uint32_t": "uint", "int64_t": "long", "uint64_t": "ulong", "size_t": "ulong", "ptrdiff_t": "long",
}  # fmt: skip

_ATOMIC_BYTES = {"atomic_int": 4, "atomic_uint": 4, "atomic_bool": 4, "atomic_float": 4, "atomic_ulong": 8}


def _bytes() -> dict[str, int]:
    sizes = SCALAR_BYTES | _ATOMIC_BYTES
    for name, size in SCALAR_BYTES.items():
        for n in (2, 3, 4):
            sizes[f"{name}{n}"] = size * (4 if n == 3 else n)
            sizes[f"packed_{name}{n}"] = size * n
    for name in ("float", "half", "bfloat"):
        for columns in (2, 3, 4):
            for rows in (2, 3, 4):
                sizes[f"{name}{columns}x{rows}"] = columns * sizes[f"{name}{rows}"]
    return sizes


BYTES = _bytes()
"""Size of each type that has a name of its own, under the name that ``canonical`` gives."""

TEMPLATES = frozenset({"vec", "packed_vec", "matrix", "atomic", "array", "simdgroup_matrix"})
"""Class templates of Metal's library: whatever their arguments are, they have no address space of their own."""

NAMES = frozenset(BYTES) | frozenset(_SYNONYMS) | C_WORDS
"""All words that name a type of Metal. A program cannot call anything else by them."""


def canonical(words: tuple[str, ...]) -> str | None:
    """One name for each built-in type: ``unsigned int``, ``uint32_t`` and ``metal::uint`` are ``uint``.

    ``words`` are the tokens of the type without qualifiers and address spaces. ``None``: not built in, or not decided
    by its name alone.
    """
    words = unqualified(words)
    if not words:
        return None
    if all(word in C_WORDS for word in words):
        return _c_type(words)
    if len(words) == 1:
        name = _SYNONYMS.get(words[0], words[0])
        return name if name in BYTES else None
    return _template(words)


def unqualified(words: tuple[str, ...]) -> tuple[str, ...]:
    """Without ``typename`` and the namespace ``metal``."""
    while words and words[0] in ("typename", "::"):
        words = words[1:]
    return words[2:] if words[:2] == ("metal", "::") else words


def spelled(words: tuple[str, ...]) -> str:
    """The type as one would write it."""
    text = ""
    for word in words:
        text += f" {word}" if (text[-1:].isalnum() or text[-1:] == "_") and word.isidentifier() else word
    return text


def _template(words: tuple[str, ...]) -> str | None:
    """``vec<float, 4>`` and ``matrix<half, 2, 4>`` have names too."""
    if words[1] != "<" or words[-1] != ">":
        return None
    first, *sizes = "".join(f"{word} " for word in words[2:-1]).split(" , ")
    scalar = canonical(tuple(first.split()))
    numbers = [size.strip() for size in sizes]
    match words[0], numbers:
        case "vec", [n]:
            name = f"{scalar}{n}"
        case "packed_vec", [n]:
            name = f"packed_{scalar}{n}"
        case "matrix", [columns, rows]:
            name = f"{scalar}{columns}x{rows}"
        case "atomic", []:
            name = f"atomic_{scalar}"
        case _:
            name = ""
    return name if name in BYTES else None


def _c_type(words: tuple[str, ...]) -> str | None:
    """The type that C's words make together."""
    rest = sorted(word for word in words if word not in ("signed", "unsigned", "int"))
    unsigned = "unsigned" in words
    match rest:
        case []:
            return "uint" if unsigned else "int"
        case ["char" | "short" | "long"]:
            return f"{'u' if unsigned else ''}{rest[0]}"
        case ["void" | "bool" | "float"] if len(words) == 1:
            return rest[0]
        case _:
            return None  # double, long long: not types of Metal


def is_vector(name: str) -> bool:
    """Whether the canonical name is one of a vector, packed or not."""
    return element(name) is not None


def element(name: str) -> tuple[str, int] | None:
    """Scalar type and number of components of a vector's canonical name: ``packed_float3`` is ``("float", 3)``."""
    plain = name.removeprefix("packed_")
    if plain[-1:] in ("2", "3", "4") and plain[:-1] in SCALAR_BYTES:
        return plain[:-1], int(plain[-1])
    return None
