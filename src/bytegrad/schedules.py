"""Schedules: the learning rate as a function of the number of steps taken.

Each is a closed form, lr = f(base, t). Alone on an optimizer it gives just that: nothing adds up from step to step, so
step 10 000 is as exact as step 1. Where something else changed the rate, such as a second schedule, it changes what it
finds by the factor f(base, t) / f(base, t − 1). So several act together, and give what PyTorch's do.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from bytegrad.admission import is_number
from bytegrad.optimizer import Optimizer


class Schedule:
    """The base of all schedules: sets the learning rate of each group of an optimizer now, and after each `step`.

    A subclass overrides `rate`. Call `step` after the optimizer's. A second schedule of the same optimizer acts on what
    the first one set; step both.

    Args:
        optimizer: whose learning rates to set; the present ones are the base of all to come.

    Attributes:
        optimizer: the same.
        base_lrs: the learning rate of each group at the beginning.
        last_epoch: how many steps were taken (PyTorch's name; what a step is, is up to the caller).
        eta_min: the part of each rate that the factor of a step leaves alone.

    Raises (all of them):
        TypeError: what shall be scheduled is no `Optimizer`.

    >>> from bytegrad import ones
    >>> from bytegrad.optim import SGD
    >>> class Halving(Schedule):
    ...     def rate(self, base, t, group):
    ...         return base / 2**t
    >>> schedule = Halving(SGD([ones(1, requires_grad=True)], lr=1.0))
    >>> schedule.step()
    >>> schedule.get_last_lr()
    [0.5]
    """

    eta_min: float = 0.0

    def __init__(self, optimizer: Optimizer) -> None:
        _refuse_other(optimizer, type(self).__name__)
        self.optimizer = optimizer
        for group in optimizer.param_groups:
            group.setdefault("initial_lr", group["lr"])  # the base of a second schedule as well
        self.base_lrs = [float(group["initial_lr"]) for group in optimizer.param_groups]
        self.last_epoch = 0
        self._set()

    def rate(self, base: float, t: int, group: int) -> float:
        """Return the learning rate of a group after `t` steps.

        Args:
            base: its learning rate at the beginning.
            t: how many steps were taken.
            group: which group it is, counted from 0.
        """
        raise NotImplementedError(f"{type(self).__name__} has no rate(base, t, group)")

    def following(self, lr: float, base: float, t: int, group: int) -> float:
        """Return the learning rate of a group after `t` steps, given what it is now.

        Where that is what `rate` gave for t − 1 steps, it is what `rate` gives for `t`. Where something else changed
        it, the part above `eta_min` changes by the same factor.

        Args:
            lr: its learning rate now.
            base: its learning rate at the beginning.
            t: how many steps were taken.
            group: which group it is, counted from 0.
        """
        before = self.rate(base, t - 1, group) if t else base
        now = self.rate(base, t, group)
        if lr == before:
            return now
        if before == self.eta_min:  # no factor leads away from there
            return lr + now - before
        return self.eta_min + (lr - self.eta_min) * ((now - self.eta_min) / (before - self.eta_min))

    def step(self) -> None:
        """Take a step: set the learning rates for the next one of the optimizer."""
        self.last_epoch += 1
        self._set()

    def get_last_lr(self) -> list[float]:
        """Return the learning rates now, one a group."""
        return [group["lr"] for group in self.optimizer.param_groups]

    def state_dict(self) -> dict[str, Any]:
        """Return what another run needs to go on: the step, and the learning rates at the beginning and now."""
        return {
            "last_epoch": self.last_epoch,
            "base_lrs": list(self.base_lrs),
            "last_lr": self.get_last_lr()[: len(self.base_lrs)],
        }

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on where the run of this `state_dict` stopped, and set the learning rates to what they were there.

        Raises:
            ValueError: the state is of another number of groups.
            TypeError: it is no state of a schedule.
        """
        given: Any = state_dict
        held = given if isinstance(given, Mapping) else {}
        lacks = [key for key in self.state_dict() if key not in held]
        if lacks:
            raise TypeError(
                f"the state for {type(self).__name__} is {type(state_dict).__name__} without {', '.join(lacks)}: a "
                "schedule goes on from its own state, and the optimizer's is loaded into the optimizer. "
                "Pass what state_dict() of a schedule gave."
            )
        base, last = list(state_dict["base_lrs"]), list(state_dict["last_lr"])
        if not len(base) == len(last) == len(self.base_lrs):
            raise ValueError(
                f"state of {len(base)} learning rates for {len(self.base_lrs)}: each belongs to a group of parameters. "
                "Make the optimizer with the same groups."
            )
        self.base_lrs, self.last_epoch = base, int(state_dict["last_epoch"])
        for group, lr in zip(self._groups(), last, strict=True):
            group["lr"] = float(lr)

    def _groups(self) -> list[dict[str, Any]]:
        """Return the groups that were there at the beginning."""
        return self.optimizer.param_groups[: len(self.base_lrs)]

    def _set(self) -> None:
        for i, (group, base) in enumerate(zip(self._groups(), self.base_lrs, strict=True)):
            group["lr"] = self.following(float(group["lr"]), base, self.last_epoch, i)


class StepLR(Schedule):
    """lr = base · gamma^⌊t / step_size⌋: constant, and then a factor lower, every `step_size` steps.

    Args:
        optimizer: whose learning rates to set.
        step_size: how many steps each rate lasts, 1 or more.
        gamma: the factor, 0 or more.

    Raises:
        ValueError: a step size below 1, or a factor below 0.

    >>> from bytegrad import ones
    >>> from bytegrad.optim import SGD
    >>> schedule = StepLR(SGD([ones(1, requires_grad=True)], lr=1.0), step_size=2, gamma=0.5)
    >>> [schedule.rate(1.0, t, 0) for t in range(5)]
    [1.0, 1.0, 0.5, 0.5, 0.25]
    """

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1) -> None:
        self.step_size, self.gamma = _steps(step_size, "step_size"), _rate(gamma, "gamma")
        super().__init__(optimizer)

    def rate(self, base: float, t: int, group: int) -> float:
        """Return the rate after `t` steps."""
        return float(base * self.gamma ** (t // self.step_size))


class CosineAnnealingLR(Schedule):
    """lr = eta_min + (base − eta_min) · (1 + cos(π t / T_max)) / 2: down half a cosine, and up again after `T_max`.

    Source: [loshchilov2017], without its restarts.

    Args:
        optimizer: whose learning rates to set.
        T_max: how many steps the way down takes, 1 or more.
        eta_min: the rate at the bottom, 0 or more.

    Raises:
        ValueError: `T_max` is below 1, or `eta_min` below 0.

    >>> from bytegrad import ones
    >>> from bytegrad.optim import SGD
    >>> schedule = CosineAnnealingLR(SGD([ones(1, requires_grad=True)], lr=1.0), T_max=2)
    >>> [schedule.rate(1.0, t, 0) for t in range(3)]
    [1.0, 0.5, 0.0]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        T_max: int,  # noqa: N803 - PyTorch's name
        eta_min: float = 0.0,
    ) -> None:
        self.T_max, self.eta_min = _steps(T_max, "T_max"), _rate(eta_min, "eta_min")
        super().__init__(optimizer)

    def rate(self, base: float, t: int, group: int) -> float:
        """Return the rate after `t` steps."""
        share = (1 + math.cos(math.pi * t / self.T_max)) / 2
        return self.eta_min + (base - self.eta_min) * share


class LinearLR(Schedule):
    """lr = base · (start + (end − start) · min(t, total) / total): a straight line, then constant; a warm-up.

    Args:
        optimizer: whose learning rates to set.
        start_factor: where the line starts, above 0 and at most 1.
        end_factor: where it ends, 0 to 1.
        total_iters: how many steps it takes, 1 or more.

    Raises:
        ValueError: a factor out of range, or `total_iters` below 1.

    >>> from bytegrad import ones
    >>> from bytegrad.optim import SGD
    >>> optimizer = SGD([ones(1, requires_grad=True)], lr=1.0)
    >>> schedule = LinearLR(optimizer, start_factor=0.25, total_iters=3)
    >>> [schedule.rate(1.0, t, 0) for t in range(5)]
    [0.25, 0.5, 0.75, 1.0, 1.0]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        start_factor: float = 1 / 3,
        end_factor: float = 1.0,
        total_iters: int = 5,
    ) -> None:
        if not (is_number(start_factor) and 0 < start_factor <= 1):
            raise ValueError(
                f"start_factor is {start_factor}: at 0 the first step would go nowhere, and a warm-up does not start "
                "above the rate that it leads to. Pass a number above 0 and at most 1."
            )
        if not (is_number(end_factor) and 0 <= end_factor <= 1):
            raise ValueError(
                f"end_factor is {end_factor}: it is a share of the optimizer's rate. Pass a number from 0 to 1."
            )
        self.start_factor, self.end_factor = start_factor, end_factor
        self.total_iters = _steps(total_iters, "total_iters")
        super().__init__(optimizer)

    def rate(self, base: float, t: int, group: int) -> float:
        """Return the rate after `t` steps."""
        share = min(t, self.total_iters) / self.total_iters
        return base * (self.start_factor + (self.end_factor - self.start_factor) * share)


class LambdaLR(Schedule):
    """lr = base · f(t), for a function of your own: a warm-up into a cosine, for example.

    It is that whatever else set the rate before, as in PyTorch: of several schedules, this one is stepped first.

    Args:
        optimizer: whose learning rates to set.
        lr_lambda: turns the number of steps into a factor; or a list of such functions, one a group.

    Raises:
        ValueError: a list that has not one function a group.
        TypeError: something that is no function, or that gives no number.

    >>> from bytegrad import ones
    >>> from bytegrad.optim import SGD
    >>> optimizer = SGD([ones(1, requires_grad=True)], lr=1.0)
    >>> schedule = LambdaLR(optimizer, lambda t: 0.5**t)
    >>> schedule.step()
    >>> schedule.get_last_lr()
    [0.5]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        lr_lambda: Callable[[int], float] | Sequence[Callable[[int], float]],
    ) -> None:
        _refuse_other(optimizer, type(self).__name__)
        groups = len(optimizer.param_groups)
        given: Any = lr_lambda
        functions = list(given) if isinstance(given, Sequence) else [given] * groups
        for f in functions:
            if not callable(f):
                raise TypeError(
                    f"lr_lambda has {f!r}: it is called with the number of steps. "
                    "Pass a function, or a list of functions, one a group."
                )
        if len(functions) != groups:
            raise ValueError(
                f"lr_lambda is a list of {len(functions)} for {groups} groups: each group has its own rate. "
                "Pass one function a group, or one for all."
            )
        self.lr_lambdas = functions
        super().__init__(optimizer)

    def rate(self, base: float, t: int, group: int) -> float:
        """Return the rate after `t` steps."""
        factor = self.lr_lambdas[group](t)
        if not is_number(factor):
            raise TypeError(
                f"lr_lambda({t}) gave {factor!r}: the learning rate is multiplied with it. "
                "Return a number; a function without return gives None."
            )
        return base * float(factor)

    def following(self, lr: float, base: float, t: int, group: int) -> float:
        """Return the rate after `t` steps, whatever it is now."""
        return self.rate(base, t, group)


def _steps(number: Any, name: str) -> int:
    if not (is_number(number) and number >= 1 and number % 1 == 0):
        raise ValueError(
            f"{name} is {number!r}: it counts steps. Pass a whole number that is 1 or more."
        )
    return int(number)


def _rate(number: Any, name: str) -> float:
    if not (is_number(number) and 0 <= number < math.inf):
        raise ValueError(
            f"{name} is {number!r}: a learning rate below 0 would climb, and an infinite one blow up. "
            "Pass a finite number, 0 or more."
        )
    return float(number)


def _refuse_other(optimizer: Any, taker: str) -> None:
    if not isinstance(optimizer, Optimizer):
        raise TypeError(
            f"{taker} of {type(optimizer).__name__}: it sets the learning rates of an optimizer. "
            f"Pass the optimizer, such as {taker}(optimizer, …)."
        )
