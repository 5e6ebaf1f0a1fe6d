"""`Optimizer`, the base of all: groups of parameters, a state for each, and the walk over both.

Parameters are changed in place and in pieces that fit a cache, so that a step takes next to no memory of its own.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, ClassVar

import numpy as np

from bytegrad.admission import (
    Group,
    check_hyperparameters,
    check_parameter,
    gradient,
    is_number,
    refuse_other_state,
    refuse_single,
)
from bytegrad.clipping import PIECE
from bytegrad.edits import edited
from bytegrad.errors import ShapeError
from bytegrad.kernels import Array
from bytegrad.sparse import RowSparse
from bytegrad.tensor import Tensor
from bytegrad.watch import tell, watchers


class Optimizer:
    """The base of all optimizers: groups of parameters with their hyperparameters, and a state for each parameter.

    A subclass names the arrays of its state in `names` and overrides `update`. Arrays of state are made when a
    parameter is first stepped, and have its shape and dtype.

    Args:
        params: leaf Tensors of floats, such as ``module.parameters()``; or dicts, each with ``"params"`` and the
            hyperparameters that shall differ from the others'.
        hyperparameters: by name, the same for all groups that do not state their own.

    Attributes:
        param_groups: the groups, each a dict of ``"params"`` (a list) and its hyperparameters, which may be changed
            between steps.
        state: for each stepped parameter its arrays by name, and ``"step"``, the number of its steps.

    Raises (here and in `add_param_group`):
        ValueError: no parameters, the same one twice, or a hyperparameter out of range or of an unknown name.
        TypeError: something that is no Tensor.
        DtypeError: a Tensor of integers or booleans.
        GraphError: a Tensor that is no leaf.

    >>> class SignDescent(Optimizer):
    ...     def update(self, x, g, state, group, step):
    ...         x -= group["lr"] * np.sign(g)
    >>> x = Tensor([1.0, 1.0], requires_grad=True)
    >>> x.grad = np.array([0.001, -1000.0], dtype=np.float32)
    >>> SignDescent([x], lr=0.5).step()
    >>> x.tolist()
    [0.5, 1.5]
    """

    names: ClassVar[tuple[str, ...]] = ()

    def __init__(self, params: Iterable[Any], **hyperparameters: Any) -> None:
        self.defaults = hyperparameters
        self.param_groups: list[Group] = []
        self.state: dict[Tensor, dict[str, Any]] = {}
        refuse_single(params, type(self).__name__)
        given = list(params)
        if not given:
            raise ValueError(
                f"{type(self).__name__} got no parameters: there is nothing to learn. "
                "Pass module.parameters(), or a list of Tensors that require grad."
            )
        for group in given if isinstance(given[0], Mapping) else [{"params": given}]:
            self.add_param_group(group)

    def add_param_group(self, group: Any) -> None:
        """Step these parameters as well, with the hyperparameters that the `group` states and defaults for the rest.

        >>> from bytegrad import ones
        >>> from bytegrad.optim import SGD
        >>> optimizer = SGD([ones(2, requires_grad=True)], lr=0.1)
        >>> optimizer.add_param_group({"params": [ones(3, requires_grad=True)], "lr": 0.01})
        >>> [group["lr"] for group in optimizer.param_groups]
        [0.1, 0.01]
        """
        if not isinstance(group, Mapping) or "params" not in group:
            raise TypeError(
                f"a group of parameters is {type(group).__name__}: it must be a dict that names its parameters. "
                'Pass {"params": [...]}, and the hyperparameters that differ.'
            )
        refuse_single(group["params"], "the group")
        params = list(group["params"])
        hyperparameters = {**self.defaults, **{k: v for k, v in group.items() if k != "params"}}
        unknown = sorted(set(hyperparameters) - set(self.defaults) - {"initial_lr"})
        if unknown:
            raise ValueError(
                f"{type(self).__name__} has no hyperparameter {', '.join(unknown)}: it would change nothing. "
                f"Use {', '.join(self.defaults)}."
            )
        check_hyperparameters(hyperparameters)
        known = {id(p) for other in self.param_groups for p in other["params"]}
        for place, p in enumerate(params):
            check_parameter(p, place)
            if id(p) in known:
                raise ValueError(
                    f"parameter {place}, of shape {p.shape}, is there already: it would be stepped twice. "
                    "List each parameter once, in one group."
                )
            known.add(id(p))
        self.param_groups.append({"params": params, **hyperparameters})

    def zero_grad(self) -> None:
        """Forget the gradients: set `grad` of every parameter to None."""
        for group in self.param_groups:
            for p in group["params"]:
                p.grad = None

    def step(self) -> None:
        """Change every parameter that has a gradient, in place; the others stay as they are, and so does their state.

        A parameter that does not require grad now is passed over, whatever is left in its `grad`: it was frozen.
        Takes one scratch array of at most 64 KiB in float32, whatever the size of the parameters.

        Raises:
            ShapeError, DtypeError: a `grad` that was assigned by hand is no array of floats of its parameter's shape.
                No parameter is changed then.
        """
        found = [
            (p, group, gradient(p, "step()"))
            for group in self.param_groups
            for p in group["params"]
            if p.requires_grad
        ]
        for p, group, grad in found:
            if grad is None:
                continue
            arrays = self._arrays(p, group)
            step = self.state[p]["step"]
            if isinstance(grad, RowSparse) and self.leaves_rest(group):
                grad = grad.coalesce()
                rows = p._data[grad.rows]
                self.update(rows, grad.values, arrays, group, step)
                p._data[grad.rows] = rows
            else:
                dense = grad.dense() if isinstance(grad, RowSparse) else grad
                for x, g, *state in _pieces(p._data, dense, *arrays):
                    self.update(x, g, state, group, step)
            edited(p._data)

    def update(self, x: Array, g: Array, state: list[Array], group: Group, step: int) -> None:
        """Change a piece of a parameter in place, given the same piece of its gradient and of its state.

        Args:
            x: the piece of the parameter, 1-D or of the parameter's shape.
            g: its gradient, which must stay as it is.
            state: its arrays, in the order of `names`; to be changed in place as well.
            group: the hyperparameters.
            step: counts the steps of this parameter from 1.
        """
        raise NotImplementedError(f"{type(self).__name__} has no update(x, g, state, group, step)")

    def needs_state(self, group: Group) -> bool:
        """Tell whether a parameter of this `group` needs the arrays in `names`."""
        return bool(self.names)

    def leaves_rest(self, group: Group) -> bool:
        """Tell whether in this `group` an element without gradient stays as it is: row-sparse ones need no filling."""
        return False

    def _arrays(self, p: Tensor, group: Group) -> list[Array]:
        """Count a step of this parameter, and return the arrays of its state, made where they are missing."""
        state = self.state.setdefault(p, {"step": 0})
        state["step"] += 1
        if not self.needs_state(group):
            return []
        for name in self.names:
            if name not in state:
                state[name] = np.zeros_like(p._data)
                if watchers:
                    tell("state", self, name, state[name])
        return [state[name] for name in self.names]

    def state_dict(self) -> dict[str, Any]:
        """Return all that another run needs to go on: copies of the state, and the hyperparameters.

        Parameters appear by number, in the order of the groups, since the next run has other Tensors.

        >>> from bytegrad import ones
        >>> from bytegrad.optim import SGD
        >>> SGD([ones(2, requires_grad=True)], lr=0.1).state_dict()["param_groups"][0]["params"]
        [0]
        """
        numbers = {p: i for i, p in enumerate(self._parameters())}
        return {
            "state": {
                numbers[p]: {key: np.array(x) if key in self.names else x for key, x in s.items()}
                for p, s in self.state.items()
            },
            "param_groups": [
                {**group, "params": [numbers[p] for p in group["params"]]}
                for group in self.param_groups
            ],
        }

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over the `state_dict` that another run gave; arrays are copied, in the dtype of the parameters.

        Raises:
            ValueError: other groups, other state, or hyperparameters out of range; nothing was taken over then.
            TypeError: it is no state of an optimizer; nothing was taken over then.
            ShapeError: arrays of other shapes; nothing was taken over then.
        """
        refuse_other_state(state_dict, type(self).__name__)
        groups = state_dict["param_groups"]
        sizes = [len(group["params"]) for group in groups]
        own = [len(group["params"]) for group in self.param_groups]
        if sizes != own:
            raise ValueError(
                f"state of groups with {sizes} parameters for groups with {own}: each state belongs to one parameter. "
                f"Make the {type(self).__name__} with the same groups, in the same order."
            )
        if any(set(group) - {"params", "initial_lr"} != set(self.defaults) for group in groups):
            raise ValueError(
                f"state with other hyperparameters than {', '.join(self.defaults)}: it is no {type(self).__name__}'s. "
                "Load it into an optimizer of the kind that it came from."
            )
        for group in groups:
            check_hyperparameters({key: value for key, value in group.items() if key != "params"})
        numbers = [i for group in groups for i in group["params"]]
        owners = dict(zip(numbers, self._parameters(), strict=True))
        strangers = [i for i in state_dict["state"] if i not in owners]
        if strangers:
            raise ValueError(
                f"state of parameter {strangers[0]!r}, which is in no group: each state belongs to one parameter. "
                f"Load what state_dict() of this {type(self).__name__} gave, with its numbers as they were."
            )
        state = {owners[i]: self._taken(owners[i], i, s) for i, s in state_dict["state"].items()}
        for group, other in zip(self.param_groups, groups, strict=True):
            group.update({key: value for key, value in other.items() if key != "params"})
        self.state = state

    def _taken(self, p: Tensor, number: int, state: Mapping[str, Any]) -> dict[str, Any]:
        """Copy the state of one parameter, and see that it fits."""
        if not is_number(state.get("step")):
            raise ValueError(
                f"state of parameter {number} with step {state.get('step')!r}: it counts the steps so far, and the "
                f"next one depends on it. Load what state_dict() of this {type(self).__name__} gave."
            )
        for name in set(state) & set(self.names):
            if np.shape(state[name]) != p.shape:
                raise ShapeError(
                    f"{name} of parameter {number} has shape {np.shape(state[name])}, the parameter {p.shape}: each "
                    "element has its own. Load the state of an optimizer of the same model."
                )
        return {
            key: np.array(x, dtype=p.dtype) if key in self.names else int(x)
            for key, x in state.items()
        }

    def _parameters(self) -> list[Tensor]:
        return [p for group in self.param_groups for p in group["params"]]

    def __repr__(self) -> str:
        lines = [type(self).__name__]
        for i, group in enumerate(self.param_groups):
            rest = ", ".join(f"{key}={value}" for key, value in group.items() if key != "params")
            size = sum(p.size for p in group["params"])
            lines.append(
                f"  group {i}: {len(group['params'])} tensors, {size:,} parameters, {rest}"
            )
        return "\n".join(lines)


def _pieces(*arrays: Array) -> Iterator[tuple[Array, ...]]:
    """Cut arrays of one shape into views of at most `PIECE` elements; whole where memory is not in order."""
    small = (
        arrays[0].size <= PIECE and arrays[0].ndim
    )  # what is computed of an array without axes is none
    if small or not all(array.flags.c_contiguous for array in arrays):
        yield arrays
        return
    flat = [array.reshape(-1) for array in arrays]
    for start in range(0, flat[0].size, PIECE):
        yield tuple([array[start : start + PIECE] for array in flat])
