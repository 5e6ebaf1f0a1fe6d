"""Models that cross over: the parameters of a module as PyTorch names and shapes them, and back.

Nothing here needs PyTorch. What travels are NumPy arrays by name; `torch.from_numpy` takes them there.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from bytegrad.kernels import Array
from bytegrad.layers import Linear
from bytegrad.module import Module, Parameter
from bytegrad.states import Loaded
from bytegrad.transformer import MultiHeadAttention, TransformerBlock

#: What parts of a module are called in PyTorch's module of the same work, where the names differ.
_THERE: dict[type[Module], dict[str, str]] = {
    TransformerBlock: {
        "attention_norm": "norm1",
        "attention": "self_attn",
        "network_norm": "norm2",
        "network.0": "linear1",
        "network.2": "linear2",
    },
    MultiHeadAttention: {"output": "out_proj"},
}

#: The layers of attention whose parameters PyTorch stacks, in its order.
_STACKED = ("query", "key", "value")


class _Entry(NamedTuple):
    """One array over there: its name, the parameters it is made of, and whether each is transposed."""

    name: str
    parts: dict[str, Parameter]
    turned: bool

    def there(self) -> Array:
        """Return the array that PyTorch's module holds, as a copy."""
        arrays = [p._data.T if self.turned else p._data for p in self.parts.values()]
        return np.array(arrays[0] if len(arrays) == 1 else np.concatenate(arrays), order="C")

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape that it has over there."""
        shapes = [p.shape[::-1] if self.turned else p.shape for p in self.parts.values()]
        return (sum(shape[0] for shape in shapes), *shapes[0][1:]) if len(shapes) > 1 else shapes[0]

    def here(self, array: Array) -> dict[str, Array]:
        """Return the arrays of the parameters that one from over there is made of."""
        pieces = [array] if len(self.parts) == 1 else np.split(array, len(self.parts))
        return {
            name: piece.T if self.turned else piece
            for name, piece in zip(self.parts, pieces, strict=True)
        }


def to_pytorch(model: Module) -> dict[str, Array]:
    """Return a copy of every parameter's array, under the name and in the shape of PyTorch's own module.

    The weight of a `Linear` comes transposed, (out, in). `MultiHeadAttention` becomes ``torch.nn.MultiheadAttention``,
    with query, key and value stacked in ``in_proj_weight``; `TransformerBlock` becomes
    ``torch.nn.TransformerEncoderLayer`` with ``norm_first=True`` and ``activation="gelu"``. All else keeps its name and
    shape. A shared parameter goes by its first name alone, and PyTorch's `state_dict` lists each of its names.

    Args:
        model: any module; one of your own passes on its own parameters as they are.

    Raises:
        TypeError: it is no Module.

    >>> from bytegrad.nn import Sequential, Tanh
    >>> state = to_pytorch(Sequential(Linear(2, 3), Tanh()))
    >>> {name: array.shape for name, array in state.items()}
    {'0.weight': (3, 2), '0.bias': (3,)}
    """
    return {entry.name: entry.there() for entry in _entries(model)}


def from_pytorch(model: Module, state: Mapping[str, Any], strict: bool = True) -> Loaded:
    """Write arrays that PyTorch's `state_dict` gave into the parameters of the same work, in place; all or none.

    Args:
        model: built as the one over there was.
        state: arrays by PyTorch's names, or tensors in the processor's memory that NumPy can read.
        strict: whether every name must be on both sides.

    Returns:
        The names, PyTorch's, that are on one side only.

    Raises:
        TypeError: the model is no Module, or the state is no dict.
        ValueError: names on one side only, under `strict`; arrays of another shape, or not of numbers.

    >>> layer = Linear(2, 1)
    >>> from_pytorch(layer, {"weight": [[1.0, 2.0]], "bias": [3.0]})
    Loaded(missing=[], unexpected=[])
    >>> layer.weight.tolist()
    [[1.0], [2.0]]
    """
    entries = {entry.name: entry for entry in _entries(model)}
    if not isinstance(state, Mapping):
        raise TypeError(
            f"the state for {type(model).__name__} is {type(state).__name__}: each parameter takes the "
            "array of its name over there. Pass what state_dict() of PyTorch's module gave."
        )
    loaded = Loaded(
        [name for name in entries if name not in state],
        [str(name) for name in state if name not in entries],
    )
    kinds = zip(("missing", "unexpected"), loaded, strict=True)
    seen = [f"{kind}: {', '.join(names)}" for kind, names in kinds if names and strict]
    arrays: dict[str, Array] = {}
    for name, entry in entries.items():
        if name in state:
            array = _array(name, state[name])
            if array.shape != entry.shape:
                seen.append(
                    f"wrong: {name} has {array.shape}, not {entry.shape}{_hint(entry, array)}"
                )
            else:
                arrays |= entry.here(array)
    if seen:
        raise ValueError(
            f"PyTorch's state for {type(model).__name__} does not fit ({'. '.join(seen)}): each parameter "
            "takes the array of its name and shape over there, and nothing was loaded. Build both models alike"
            + (", or pass strict=False to load what has the same names." if any(loaded) else ".")
        )
    model.load_state_dict(arrays, strict=False)
    return loaded


def _entries(model: Module) -> Iterator[_Entry]:
    """Go through all that the model's parameters are over there."""
    if not isinstance(model, Module):
        raise TypeError(
            f"{type(model).__name__} is no Module: what an array is called over there depends on the layer "
            "that holds it. Pass the model itself, not its state."
        )
    prefixes = {"": ""}
    linear: set[str] = set()
    stacked: set[str] = set()
    for path, module in model.named_modules():
        start = f"{path}." if path else ""
        for kind, names in _THERE.items():
            if isinstance(module, kind):
                there = _renamed(start, prefixes)
                prefixes |= {f"{start}{a}.": f"{there}{b}." for a, b in names.items()}
        if isinstance(module, MultiHeadAttention):
            stacked.add(start)
        if isinstance(module, Linear):
            linear.add(f"{start}weight")
    groups: dict[str, dict[str, Parameter]] = {}
    for name, parameter in model.named_parameters():
        owner, _, last = name.rpartition(".")
        above, _, layer = owner.rpartition(".")
        start = f"{above}." if above else ""
        if start in stacked and layer in _STACKED:
            there = f"{_renamed(start, prefixes)}in_proj_{last}"
        else:
            there = _renamed(name, prefixes)
        groups.setdefault(there, {})[name] = parameter
    for there, parts in groups.items():
        yield _Entry(there, parts, not linear.isdisjoint(parts))


def _renamed(name: str, prefixes: Mapping[str, str]) -> str:
    """Return the name over there, by the longest start that has another one."""
    start = max((each for each in prefixes if name.startswith(each)), key=len)
    return prefixes[start] + name.removeprefix(start)


def _array(name: str, x: Any) -> Array:
    """Return what one entry of a state holds as an array."""
    try:
        array = np.asarray(x)
    except (TypeError, ValueError, RuntimeError) as error:
        why = str(error).rstrip(".")
        raise ValueError(
            f"{name} of PyTorch's state is {type(x).__name__}, and NumPy cannot read it ({why}): what crosses "
            "over are arrays in the processor's memory. Pass tensor.detach().cpu().float() instead."
        ) from None
    if array.dtype.kind not in "fiu":
        raise ValueError(
            f"{name} of PyTorch's state is {type(x).__name__} of {array.dtype}: a parameter takes numbers. "
            "Pass the array or tensor itself."
        )
    return array


def _hint(entry: _Entry, array: Array) -> str:
    """Return what a shape gives away: an array that lies as it does here."""
    is_ours = entry.turned and array.shape == entry.shape[::-1]
    return " (it lies as it does here; load_state_dict takes it)" if is_ours else ""
