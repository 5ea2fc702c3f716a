"""The frame of a printed file: docstring, imports, helpers, class."""

import re
from collections.abc import Iterable, Sequence
from itertools import pairwise
from textwrap import fill

WIDTH = 110

HELPERS = {
    "triangular_product": '''
def triangular_product(a, b, step, upper=False, left=False, result=False, mask=False):
    """a @ b by blocks of rows, without the parts beyond the diagonal: of a (left), of the product (result).

    With mask, what lies beyond the diagonal of the product is cleared.
    """
    product = a.new_zeros(a.shape[0], b.shape[1])
    for start in range(0, a.shape[0], step):
        stop = min(start + step, a.shape[0])
        inside, everything = slice(start, None) if upper else slice(0, stop), slice(None)
        inner, columns = inside if left else everything, inside if result else everything
        product[start:stop, columns] = a[start:stop, inner] @ b[inner, columns]
        if mask:
            block = product[start:stop, start:stop]
            block.triu_() if upper else block.tril_()
    return product
''',
    "wide": '''
def wide(tensor):
    """The tensor in float64; on the CPU where the device has no float64."""
    return tensor.detach().to("cpu" if tensor.device.type == "mps" else tensor.device, torch.float64)
''',
    "window_sums": '''
def window_sums(x, dim, windows):
    """Sums of x over windows (start, stop, step) of one axis, side by side along that axis.

    Windows that overlap share their common core, which is summed once.
    """
    low, high = max(start for start, _, _ in windows), min(stop for _, stop, _ in windows)
    if low >= high or any(step != 1 for _, _, step in windows):
        axis = (slice(None),) * dim
        return torch.cat([x[(*axis, slice(*window))].sum(dim, keepdim=True) for window in windows], dim)
    core = x.narrow(dim, low, high - low).sum(dim, keepdim=True)
    sums = []
    for start, stop, _ in windows:
        total = core
        if start < low:
            total = total + x.narrow(dim, start, low - start).sum(dim, keepdim=True)
        if stop > high:
            total = total + x.narrow(dim, high, stop - high).sum(dim, keepdim=True)
        sums.append(total)
    return torch.cat(sums, dim)
''',
}

AROUND = {
    "cloned": '''
def cloned(outputs):
    """Copies of the tensors in a nest: those of a CUDA graph are written over by its next replay."""
    return pytree.tree_map(lambda leaf: leaf.clone() if isinstance(leaf, torch.Tensor) else leaf, outputs)
''',
    "replayed": '''
def replayed(graphs, compute, *inputs):
    """compute(*inputs), recorded as one CUDA graph at the first call with such inputs and replayed from then on.

    Inputs are copied into the graph's memory and outputs out of it, so that both are the caller's.
    """
    plain = all(isinstance(leaf, torch.Tensor) for leaf in inputs)  # looking into nests takes as long as a launch
    leaves, structure = (inputs, None) if plain else pytree.tree_flatten(inputs)
    tensors = leaves if plain else [leaf for leaf in leaves if isinstance(leaf, torch.Tensor)]
    key = (structure, *((t.shape, t.stride(), t.dtype, t.device) if isinstance(t, torch.Tensor) else t for t in leaves))
    if key not in graphs:
        held = [leaf.clone() if isinstance(leaf, torch.Tensor) else leaf for leaf in leaves]
        given = held if plain else pytree.tree_unflatten(held, structure)
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(2):  # whatever compiles or allocates once does so before the recording
                compute(*given)
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            outputs = compute(*given)
        graphs[key] = graph, [t for t in held if isinstance(t, torch.Tensor)], outputs
    graph, held, outputs = graphs[key]
    for mine, theirs in zip(held, tensors, strict=True):
        mine.copy_(theirs)
    graph.replay()
    if isinstance(outputs, torch.Tensor):
        return outputs.clone()
    return pytree.tree_map(lambda leaf: leaf.clone() if isinstance(leaf, torch.Tensor) else leaf, outputs)
''',
}
"""What a module's forward can be wrapped into, by name."""


def module_text(
    *,
    doc: Sequence[str],
    layout: Sequence[str],
    fold: Sequence[str],
    parameters: Sequence[str],
    forward: Sequence[str],
    decorator: str,
    helpers: Iterable[str],
    imports: Sequence[str] = (),
    functions: str = "",
    around: str = "",
) -> str:
    """A file that defines ``ModelNew``, from the lines of its parts. ``around``: a key of ``AROUND``."""
    body = "\n".join(forward)
    text = f'"""{doc[0]}"""' if len(doc) == 1 else "\n".join(['"""' + doc[0], "", *doc[1:], '"""'])
    text += "\n\nimport torch\n"
    if "F." in body or any("F." in line for line in (*fold, *functions.splitlines())):
        text += "import torch.nn.functional as F\n"
    text += "".join(f"{line}\n" for line in imports if line.startswith("import"))
    text += "import torch.utils._pytree as pytree\n" if around else ""
    text += "from torch import nn\n"
    text += "".join(f"{line}\n" for line in imports if line.startswith("from"))
    text += "\n"
    text += "".join(code + "\n" for name, code in HELPERS.items() if name in helpers)
    text += f"\n{functions}\n\n" if functions else ""
    text += f"{AROUND[around]}\n" if around else ""
    text += "\nclass ModelNew(nn.Module):\n"
    text += "    def __init__(self, *args, **kwargs):\n"
    text += "        # Sizes are those of the reference as it was constructed; values come with load_state_dict.\n"
    text += "        super().__init__()\n"
    text += _indented(layout)
    if around == "replayed":
        text += "        self._graphs = {}\n"
    if fold:
        text += "        self._fold()\n"
        text += "        self.register_load_state_dict_post_hook(ModelNew._fold)\n"
        text += "\n    @torch.no_grad()\n    def _fold(self, *_):\n"
        text += '        """Work on weights alone, done once per load: in float64, then rounded once."""\n'
        text += _indented(fold)
        text += "        self._graphs.clear()\n" if around == "replayed" else ""
    text += "\n"
    if around == "replayed":
        text += "    def _apply(self, *args, **kwargs):\n"
        text += "        self._graphs.clear()  # they hold the addresses of weights that may move now\n"
        text += "        return super()._apply(*args, **kwargs)\n\n"
    if decorator:
        text += f"    {decorator}\n"
    text += f"    def {'_compute' if around else 'forward'}({', '.join(('self', *parameters))}):\n"
    text += _indented(forward)
    if around:
        given = ", ".join(parameters)
        call = f"cloned(self._compute({given}))"
        if around == "replayed":
            call = f"replayed({', '.join(('self._graphs', 'self._compute', *parameters))})"
        text += f"\n    def forward({', '.join(('self', *parameters))}):\n        return {call}\n"
    return text


def _indented(lines: Iterable[str]) -> str:
    return "".join(f"        {line}\n" for line in lines)


def comment(text: str) -> list[str]:
    """A comment, over as many lines as it takes."""
    return [f"# {line}" for line in fill(text, WIDTH - 10, break_on_hyphens=False).splitlines()]


QUOTED = re.compile(r"""(["'])(?:\\.|(?!\1).)*\1""")
"""A string as Python writes it."""


def wrapped(line: str) -> list[str]:
    """The statement on one line, or with what its last parentheses hold below each other."""
    if len(line) <= WIDTH - 8 or not line.endswith(")"):
        return [line]
    depth, cuts, opening = 0, [], -1
    signs = QUOTED.sub(lambda text: "x" * len(text.group()), line)  # a string's own commas are no place to cut
    for position in range(len(line) - 1, -1, -1):
        depth += signs[position] in ")]}"
        depth -= signs[position] in "([{"
        if signs[position] == "," and depth == 1:
            cuts.append(position)
        if depth == 0:
            opening = position
            break
    edges = [opening, *reversed(cuts), len(line) - 1]
    parts = [line[a + 1 : b].strip() for a, b in pairwise(edges)]
    called = opening > 0 and (line[opening - 1].isalnum() or line[opening - 1] in "_)]")
    comma = "," * (called or len(cuts) > 0)  # parentheses around one value would make it a tuple
    return [line[: opening + 1], *(f"    {part}{comma}" for part in parts if part), ")"]
