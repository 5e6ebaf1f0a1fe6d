"""Arrays written into the parameters of their names: all of them or none."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from bytegrad.edits import edited
from bytegrad.kernels import Array
from bytegrad.tensor import Tensor


class Loaded(NamedTuple):
    """What `Module.load_state_dict` met and could not use.

    Attributes:
        missing: parameters that the state has no array for; they stay as they were.
        unexpected: arrays that the module has no parameter for.

    >>> from bytegrad.nn import Linear
    >>> Linear(1, 1).load_state_dict({"weight": [[1.0]]}, strict=False)
    Loaded(missing=['bias'], unexpected=[])
    """

    missing: list[str]
    unexpected: list[str]


def load_into(parameters: Mapping[str, Tensor], state: Any, strict: bool, taker: str) -> Loaded:
    """Write the arrays of a state into parameters, as `Module.load_state_dict` says.

    Args:
        parameters: by name.
        state: arrays by name.
        strict: whether every name must be on both sides.
        taker: whose parameters they are.

    Raises:
        ValueError: names on one side only, under `strict`; arrays of another shape, or not of numbers.
        TypeError: the state is no dict.
    """
    if not isinstance(state, Mapping):
        raise TypeError(
            f"the state for {taker} is {type(state).__name__}: each parameter takes the array of its "
            "own name. Pass what state_dict() gave, or call load() with the path of a file."
        )
    arrays = {str(name): _array(x) for name, x in state.items()}
    loaded = Loaded(
        [name for name in parameters if name not in arrays],
        [name for name in arrays if name not in parameters],
    )
    wrong = [
        f"{name} has {arrays[name].shape} {arrays[name].dtype}, not {p.shape} {p.dtype}"
        for name, p in parameters.items()
        if name in arrays and not _fits(arrays[name], p)
    ]
    seen = [f"wrong: {'; '.join(wrong)}"] if wrong else []
    if strict:
        kinds = zip(("missing", "unexpected"), loaded, strict=True)
        seen = [f"{kind}: {', '.join(names)}" for kind, names in kinds if names] + seen
    if seen:
        raise ValueError(
            f"state for {taker} does not fit ({'. '.join(seen)}): each parameter takes the array of "
            "its own name and shape, and nothing was loaded. Build the module as it was when it was saved"
            + (", or pass strict=False to load what has the same names." if any(loaded) else ".")
        )
    for name, p in parameters.items():
        if name in arrays:
            np.copyto(p._data, arrays[name], casting="same_kind")
            edited(p._data)
    return loaded


def _array(x: Any) -> Array:
    """Return the array of a Tensor, and anything else as an array; one of objects where its rows differ in length."""
    try:
        return np.asarray(x._data if isinstance(x, Tensor) else x)
    except ValueError:
        return np.asarray(None)


def _fits(array: Array, parameter: Tensor) -> bool:
    return array.shape == parameter.shape and np.can_cast(array.dtype, parameter.dtype, "same_kind")
