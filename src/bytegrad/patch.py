"""The switch: `enable_autograd` swaps the operations of `Tensor` for recording ones, `disable_autograd` swaps back."""

from collections.abc import Callable, Mapping
from typing import Any

from bytegrad import engine, hooks
from bytegrad.record import Function, tracked
from bytegrad.rules import RULES
from bytegrad.tensor import Tensor

#: What wakes beside the operations.
_AWAKE: dict[str, Callable[..., Any]] = {
    "backward": engine.backward,
    "retain_grad": hooks.retain_grad,
    "register_hook": hooks.register_hook,
    "register_post_accumulate_grad_hook": hooks.register_post_accumulate_grad_hook,
}

_plain: dict[
    str, Any
] = {}  # what stood in the class itself before, while autograd is on; None for inherited


def enable_autograd(rules: Mapping[str, Any] | None = None, quiet: bool = False) -> None:
    """Make every operation in `RULES` record itself, and wake `Tensor.backward`.

    Calling it again applies the table afresh: without `rules`, the engine's own rules are back.

    Args:
        rules: rules of your own, by method name; they take the place of the engine's.
        quiet: print nothing; else one line says that autograd is on.

    Raises:
        ValueError: a name in `rules` is no differentiable method of `Tensor`.
        TypeError: a rule is no subclass of `Function`.

    >>> enable_autograd(quiet=True)
    >>> x = Tensor(2.0, requires_grad=True)
    >>> ((3 * x + 1) ** 2).backward()
    >>> float(x.grad)
    42.0
    """
    unknown = sorted(set(rules or ()) - set(RULES))
    if unknown:
        raise ValueError(
            f"no differentiable operation is called {', '.join(unknown)}: a rule must name a method of Tensor. "
            f"Use one of {', '.join(RULES)}."
        )
    for name, rule in (rules or {}).items():
        if not (isinstance(rule, type) and issubclass(rule, Function)):
            raise TypeError(
                f"the rule for {name} is {rule!r}: a rule is a subclass of bytegrad.Function, which each call makes "
                "an instance of. Pass the class itself."
            )
    disable_autograd()
    table = {**RULES, **(rules or {})}
    for name, rule in table.items():
        _swap(name, tracked(getattr(Tensor, name), rule))
    for name, method in _AWAKE.items():
        _swap(name, method)
    if not quiet:
        print(f"autograd is on: {len(table)} operations record themselves")


def disable_autograd() -> None:
    """Give `Tensor` its forward-only methods back, the very same ones. Calling it twice changes nothing.

    >>> disable_autograd()
    >>> autograd_enabled()
    False
    """
    for name, method in _plain.items():
        if method is None:
            delattr(Tensor, name)
        else:
            setattr(Tensor, name, method)
    _plain.clear()


def autograd_enabled() -> bool:
    """Tell whether operations record themselves.

    >>> enable_autograd(quiet=True)
    >>> autograd_enabled()
    True
    """
    return bool(_plain)


def _swap(name: str, method: Callable[..., Any]) -> None:
    _plain[name] = vars(Tensor).get(name)
    setattr(Tensor, name, method)
