"""`Module`: parameters under names, so that a model can be trained, frozen, saved and looked at as a whole.

There is no registry. What a module holds is what its attributes hold, seen through lists, tuples and dicts.
"""

import os
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import DTypeLike

from bytegrad.files import read_arrays, write_arrays
from bytegrad.hooks import Handle, add_hook
from bytegrad.kernels import Array
from bytegrad.states import Loaded, load_into
from bytegrad.tensor import Tensor
from bytegrad.watch import tell, watchers


class Parameter(Tensor):
    """A Tensor that a `Module` learns; it requires grad unless it is frozen.

    Args:
        data: a number, a list, an array or a Tensor; it is copied.
        dtype: asks for another dtype.
        requires_grad: False for a frozen one.

    Raises:
        DtypeError: integers or booleans that shall be learned.

    >>> Parameter([1.0, 2.0])
    Tensor([1., 2.], dtype=float32, requires_grad=True)
    """

    __slots__ = ()

    def __init__(
        self, data: Any, *, dtype: DTypeLike | None = None, requires_grad: bool = True
    ) -> None:
        super().__init__(data, dtype, requires_grad)


class _Running(threading.local):
    """The names of all modules in the outermost one that this thread runs, while somebody watches."""

    names: dict[int, str] | None = None


_running = _Running()

#: The attributes of a module that hold hooks, which are no parts of it.
_HOOKS = ("_before", "_after")

#: Where parameters are looked for.
_HOLDERS = (list, tuple, Mapping)


class Module:
    """The base of all layers and models: derive from it, set parameters and modules as attributes, write `forward`.

    `super().__init__()` need not be called. Arrays and Tensors that require no grad may be attributes, too: they are
    no parameters, and are not saved.

    Attributes:
        training: True while the module learns; `Dropout` asks it.

    Raises (what goes through the parts):
        TypeError: one is a leaf Tensor that requires grad and is no `Parameter`.
        ValueError: two of them have the same name.

    Raises (assigning an attribute):
        TypeError: a parameter would be replaced by a plain Tensor, an array or a number, and no longer be learned.

    >>> class Scale(Module):
    ...     def __init__(self):
    ...         self.factor = Parameter(3.0)
    ...     def forward(self, x):
    ...         return x * self.factor
    >>> Scale()(Tensor([1.0, 2.0])).tolist()
    [3.0, 6.0]
    >>> dict(Scale().named_parameters())
    {'factor': Tensor(3., dtype=float32, requires_grad=True)}
    """

    training: bool = True
    _before: Mapping[Any, Callable[..., Any]] = {}
    _after: Mapping[Any, Callable[..., Any]] = {}

    def __setattr__(self, name: str, value: Any) -> None:
        if isinstance(vars(self).get(name), Parameter) and not (
            value is None or isinstance(value, (Parameter, Module, *_HOLDERS))
        ):
            raise TypeError(
                f"{name} of {type(self).__name__} is a Parameter, and would give way to {type(value).__name__}: an "
                "optimizer would go on with the old one, and nobody learn or save the new. Change it in place under "
                f"no_grad(), as by {name}.copy_(…), or assign a Parameter or None."
            )
        super().__setattr__(name, value)

    def forward(self, *inputs: Any, **options: Any) -> Any:
        """Compute the output; every module writes its own, with the `inputs` and `options` that it needs."""
        raise NotImplementedError(f"{type(self).__name__} has no forward")

    # Running.

    def __call__(self, *inputs: Any, **options: Any) -> Any:
        """Run `forward`, with the hooks before and after it."""
        if watchers:
            return self._watched(inputs, options)
        return self._run(inputs, options)

    def _run(self, inputs: tuple[Any, ...], options: dict[str, Any]) -> Any:
        for before in tuple(self._before.values()):
            changed = before(self, inputs)
            if changed is not None:
                inputs = changed if isinstance(changed, tuple) else (changed,)
        output = self.forward(*inputs, **options)
        for after in tuple(self._after.values()):
            changed = after(self, inputs, output)
            output = output if changed is None else changed
        return output

    def _watched(self, inputs: tuple[Any, ...], options: dict[str, Any]) -> Any:
        """Run, and tell the watchers where it starts and ends."""
        outermost = _running.names is None
        if outermost:
            _running.names = {id(module): name for name, module in self.named_modules()}
        # One that is no attribute of the outermost goes by its class.
        name = (_running.names or {}).get(id(self), type(self).__name__)
        tell("module", self, name, True)
        try:
            return self._run(inputs, options)
        finally:
            tell("module", self, name, False)
            if outermost:
                _running.names = None

    def register_forward_pre_hook(self, hook: Callable[["Module", tuple[Any, ...]], Any]) -> Handle:
        """Call ``hook(module, inputs)`` before each `forward`; what it returns, unless None, takes the inputs' place.

        Args:
            hook: gets the positional inputs as a tuple.

        Returns:
            A handle: ``handle.remove()``, or a ``with`` block, takes the hook away.

        Raises:
            TypeError: the hook cannot be called.
        """
        return _register(self, "_before", hook)

    def register_forward_hook(
        self, hook: Callable[["Module", tuple[Any, ...], Any], Any]
    ) -> Handle:
        """Call ``hook(module, inputs, output)`` after each `forward`; what it returns, unless None, is the output.

        Args:
            hook: gets the positional inputs as a tuple, and the output.

        Returns:
            A handle: ``handle.remove()``, or a ``with`` block, takes the hook away.

        Raises:
            TypeError: the hook cannot be called.

        >>> from bytegrad.nn import ReLU
        >>> relu = ReLU()
        >>> with relu.register_forward_hook(lambda module, inputs, output: output + 1):
        ...     relu(Tensor([-1.0, 1.0])).tolist()
        [1.0, 2.0]
        """
        return _register(self, "_after", hook)

    # What it holds.

    def named_modules(self, prefix: str = "") -> Iterator[tuple[str, "Module"]]:
        """Go through this module (named by the `prefix`) and all below it, each once, with dotted names."""
        return ((name, part) for name, part in _walk(self, prefix) if isinstance(part, Module))

    def modules(self) -> Iterator["Module"]:
        """Go through this module and all below it, each once."""
        return (module for _, module in self.named_modules())

    def named_parameters(self, prefix: str = "") -> Iterator[tuple[str, Parameter]]:
        """Go through all parameters with dotted names, such as ``layers.0.weight``; a shared one goes by its first.

        Args:
            prefix: the name of this module, in front of all.
        """
        return ((name, part) for name, part in _walk(self, prefix) if isinstance(part, Parameter))

    def parameters(self) -> Iterator[Parameter]:
        """Go through all parameters, frozen ones as well, each once."""
        return (parameter for _, parameter in self.named_parameters())

    # Training.

    def train(self, mode: bool = True) -> Self:
        """Set `training` to `mode` here and in all modules below, and return this module."""
        for module in self.modules():
            module.training = mode
        return self

    def eval(self) -> Self:
        """Leave training: ``train(False)``."""
        return self.train(False)

    def zero_grad(self) -> None:
        """Forget all gradients: set `grad` of every parameter to None."""
        for parameter in self.parameters():
            parameter.grad = None

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Learn all parameters from now on, or freeze them; return this module.

        A frozen parameter gets no gradient, and no optimizer changes it.
        """
        for parameter in self.parameters():
            parameter.requires_grad = requires_grad
        return self

    # Saving.

    def state_dict(self) -> dict[str, Array]:
        """Return a copy of every parameter's array, by name."""
        return {name: np.array(parameter._data) for name, parameter in self.named_parameters()}

    def load_state_dict(self, state: Mapping[str, Any], strict: bool = True) -> Loaded:
        """Write arrays into the parameters of their names, in place, cast to their dtypes; all of them or none.

        Args:
            state: what `state_dict` of a module built alike gave.
            strict: whether every name must be on both sides.

        Returns:
            The names that are on one side only.

        Raises:
            ValueError: names on one side only, under `strict`; arrays of another shape, or not of numbers.
            TypeError: it is no dict.
        """
        return load_into(dict(self.named_parameters()), state, strict, type(self).__name__)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write `state_dict` to the file at `path` in NumPy's npz format, which any NumPy reads.

        The file appears whole or not at all: what was there before stays until the new one is complete.
        """
        write_arrays(path, self.state_dict())

    def load(self, path: str | os.PathLike[str], strict: bool = True) -> Loaded:
        """Read the file at `path` that `save` wrote, and hand it to `load_state_dict`, as `strict` as you say.

        Nothing in the file is executed.

        Raises:
            ValueError: the file is no npz archive of plain arrays; and what `load_state_dict` refuses.
            FileNotFoundError: there is no such file.
        """
        return self.load_state_dict(read_arrays(path), strict)

    # Looking at it.

    def extra_repr(self) -> str:
        """Return what stands in the parentheses after the class's name when the module is printed."""
        return ""

    def __repr__(self) -> str:
        lines: list[str] = []
        above: list[str] = []  # the modules that the next one may be a part of
        for path, module in self.named_modules():
            while above and not path.startswith(above[-1]):
                above.pop()
            name = f"{path.removeprefix(above[-1])}: " if above else ""
            lines.append(f"{'  ' * len(above)}{name}{module._line()}")
            above.append(f"{path}." if path else "")
        return "\n".join(lines)

    def _line(self) -> str:
        own = [f"{name} {part.shape}" for name, part in _parts(self) if isinstance(part, Parameter)]
        every = list(self.parameters())
        count, frozen = (
            sum(p.size for p in some) for some in (every, [p for p in every if not p.requires_grad])
        )
        text = f"{type(self).__name__}({self.extra_repr()})"
        if every:
            text += f": {', '.join(own)}{', ' if own else ''}{count:,} parameters"
        return text + (f", {frozen:,} of them frozen" if frozen else "")


def _parts(holder: Any) -> Iterator[tuple[str, Any]]:
    """Go through the modules, Tensors and holders that one of these holds, with the name of each."""
    if isinstance(holder, Tensor):
        return
    held = vars(holder) if isinstance(holder, Module) else holder
    values = held.values() if isinstance(held, Mapping) else held
    # asked once a type: a vocabulary may be long
    kinds = {kind for kind in set(map(type, values)) if issubclass(kind, _PARTS)}
    if not kinds:
        return
    named = held.items() if isinstance(held, Mapping) else enumerate(held)
    for key, part in named:
        if type(part) in kinds and not (key in _HOOKS and isinstance(holder, Module)):
            yield str(key), part


def _walk(root: Module, prefix: str) -> Iterator[tuple[str, Any]]:
    """Go through a module and all that it holds, each once and under its first name, from the top down."""
    seen: set[int] = set()
    names: set[str] = set()
    waiting: list[tuple[str, Any]] = [(prefix, root)]
    while waiting:
        name, part = waiting.pop()
        if id(part) in seen:
            continue
        seen.add(id(part))
        if isinstance(part, Tensor):
            _refuse_unlisted(root, name, part)
        if isinstance(part, (Module, Parameter)):
            if name in names:
                raise ValueError(
                    f"{name} of {type(root).__name__} names two different parts: only one of them would be saved. "
                    "Give them keys that also differ as text, without dots."
                )
            names.add(name)
        yield name, part
        below = [(f"{name}.{key}" if name else key, each) for key, each in _parts(part)]
        waiting.extend(reversed(below))


def _refuse_unlisted(root: Module, name: str, tensor: Tensor) -> None:
    """Refuse a Tensor that is there to be learned, and that nobody would learn."""
    if tensor.requires_grad and tensor.is_leaf and not isinstance(tensor, Parameter):
        raise TypeError(
            f"{name} of {type(root).__name__} is a Tensor that requires grad, but no Parameter: no optimizer would get "
            "to it. Make it a bytegrad.nn.Parameter, or keep its .detach()."
        )


#: What a module is made of, and where it is looked for.
_PARTS = (Module, Tensor, *_HOLDERS)


def _register(module: Module, name: str, hook: Callable[..., Any]) -> Handle:
    """Add a hook to a module's own table."""
    return add_hook(vars(module).setdefault(name, {}), hook)
