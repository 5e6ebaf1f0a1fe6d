"""A scalar that remembers how it was made, so that it can be differentiated.

The file is plain Python and imports nothing but `math`: the very same text runs in CPython and,
under MicroPython, in the reader's browser. Tensors come later; every idea is already here.
"""

import math


class Value:
    """One number, the operation that made it, and d(result)/d(this number) once `backward` has run.

    Args:
        data: the number; anything that `float` accepts except text.
        children: the Values that it was computed from.
        op: the operation's sign, for pictures.
        label: a name, for pictures.
        slopes: d(this)/d(child), one number a child.

    Raises:
        TypeError: the data is not a number.
        OverflowError: the data is an int beyond the largest float.
        ValueError: there is not exactly one slope a child.

    >>> x = Value(2.0, label="x")
    >>> y = (3 * x + 1) ** 2
    >>> y.backward()
    >>> y.data, x.grad
    (49.0, 42.0)
    """

    __slots__ = ("children", "data", "grad", "label", "op", "slopes")
    __array_ufunc__ = None  # numpy_number * value asks Value, not NumPy

    def __init__(
        self,
        data: float,
        children: "tuple[Value, ...]" = (),
        op: str = "",
        label: str = "",
        slopes: "tuple[float, ...]" = (),
    ) -> None:
        if len(children) != len(slopes):
            raise ValueError(
                f"children: {len(children)}, slopes: {len(slopes)}. The chain rule needs "
                "d(this)/d(child) for each child: pass one slope a child."
            )
        self.data = data if type(data) is float else _number(data)
        self.grad = 0.0
        self.children = children
        self.op = op
        self.label = label
        self.slopes = slopes

    def __repr__(self) -> str:
        return f"Value(data={self.data:g}, grad={self.grad:g})"

    # The seven operations that know their own derivative.

    def __add__(self, other: "Value | float") -> "Value":
        other = other if isinstance(other, Value) else Value(other)
        return Value(self.data + other.data, (self, other), "+", "", (1.0, 1.0))

    def __mul__(self, other: "Value | float") -> "Value":
        other = other if isinstance(other, Value) else Value(other)
        slopes = (other.data, self.data)
        return Value(self.data * other.data, (self, other), "*", "", slopes)

    def __pow__(self, exponent: "Value | float") -> "Value":
        if isinstance(exponent, Value):
            return _power(self, exponent)
        a, n = self.data, _number(exponent)
        if a == 0 and n < 0:
            raise ZeroDivisionError(
                f"0 ** {n:g} divides by zero: its value and its slope are infinite. "
                "Keep the base away from 0."
            )
        if a < 0 and n % 1 != 0:
            raise ValueError(
                f"({a:g}) ** {n:g} is no real number: a negative base has real powers only for "
                "whole exponents. Use a positive base."
            )
        if n == 0:
            slope = 0.0
        elif a == 0 and n < 1:
            slope = math.inf  # a root is vertical at 0
        else:
            slope = n * _raised(a, n - 1)
        return Value(_raised(a, n), (self,), f"**{n:g}", "", (slope,))

    def exp(self) -> "Value":
        """Return e to this power; its slope is its own value.

        Raises:
            OverflowError: the result is beyond the largest float.
        """
        try:
            y = math.exp(self.data)
        except (OverflowError, ValueError):  # the latter under MicroPython
            raise OverflowError(
                f"exp({self.data:g}) is beyond the largest float (about 1.8e308). "
                "Make the number smaller before the exponential."
            ) from None
        return Value(y, (self,), "exp", "", (y,))

    def log(self) -> "Value":
        """Return the natural logarithm; its slope is 1/x.

        Raises:
            ValueError: the number is not above 0.
        """
        if self.data <= 0:
            raise ValueError(
                f"log({self.data:g}) does not exist: the logarithm needs a number above 0. "
                "Check what feeds it, or add a small positive constant."
            )
        return Value(math.log(self.data), (self,), "log", "", (1 / self.data,))

    def tanh(self) -> "Value":
        """Return the hyperbolic tangent; its slope is 1 - tanh²."""
        y = math.tanh(self.data)
        return Value(y, (self,), "tanh", "", (1 - y * y,))

    def relu(self) -> "Value":
        """Return the number if it is above 0, else 0; the slope at 0 is taken to be 0."""
        off = self.data <= 0
        return Value(0.0 if off else self.data, (self,), "relu", "", (0.0 if off else 1.0,))

    # Everything else is made of those seven, so its derivative comes for free.

    def __neg__(self) -> "Value":
        return self * -1.0

    def __sub__(self, other: "Value | float") -> "Value":
        return self + (-other if isinstance(other, Value) else -_number(other))

    def __truediv__(self, other: "Value | float") -> "Value":
        other = other if isinstance(other, Value) else Value(other)
        return self * other**-1.0

    def __radd__(self, other: float) -> "Value":
        return Value(other) + self

    def __rmul__(self, other: float) -> "Value":
        return Value(other) * self

    def __rsub__(self, other: float) -> "Value":
        return Value(other) - self

    def __rtruediv__(self, other: float) -> "Value":
        return Value(other) / self

    def __rpow__(self, base: float) -> "Value":
        return Value(base) ** self

    # Comparisons look at the numbers alone: they steer a program, and have no derivative.

    def __lt__(self, other: "Value | float") -> bool:
        return self.data < _number(other)

    def __le__(self, other: "Value | float") -> bool:
        return self.data <= _number(other)

    def __gt__(self, other: "Value | float") -> bool:
        return self.data > _number(other)

    def __ge__(self, other: "Value | float") -> bool:
        return self.data >= _number(other)

    def backward(self) -> None:
        """Add d(self)/d(leaf) to the `grad` of every leaf below, in one walk over the graph.

        A node's `grad` is complete before it is handed on, because the walk visits a node
        only after everything that used it. Leaves add up over several calls; what lies
        between starts afresh each time, so that a second call is right as well.
        """
        order = topological_order(self)
        for node in order:
            if node.children:
                node.grad = 0.0
        self.grad += 1.0
        for node in reversed(order):
            grad = node.grad
            for child, slope in zip(node.children, node.slopes):
                child.grad += slope * grad


def topological_order(root: Value) -> "list[Value]":
    """Return all that `root` was computed from, each node once, after its children.

    The walk keeps its own stack, so depth is bounded by memory and not by Python's
    limit, and it follows `children` in their order, so that the same program gives
    the same order every time.
    """
    order: list[Value] = []
    seen = set()
    stack = [(root, False)]
    while stack:
        node, children_done = stack.pop()
        if children_done:
            order.append(node)
        elif node not in seen:
            seen.add(node)
            stack.append((node, True))
            stack.extend([(child, False) for child in node.children])
    return order


def _power(base: Value, exponent: Value) -> Value:
    a, n = base.data, exponent.data
    if a <= 0:
        raise ValueError(
            f"({a:g}) ** Value({n:g}) has no slope in its exponent: that slope is a**n * log(a), "
            "and log needs a base above 0. Use a positive base, or a plain number as the exponent."
        )
    y = _raised(a, n)
    return Value(y, (base, exponent), "**", "", (n * _raised(a, n - 1), y * math.log(a)))


def _raised(a: float, n: float) -> float:
    """Return a ** n, infinite beyond the largest float, as MicroPython has it."""
    try:
        return float(a**n)
    except OverflowError:
        return -math.inf if a < 0 and n % 2 == 1 else math.inf


def _number(x: "Value | float") -> float:
    if isinstance(x, Value):
        return x.data
    try:
        return float(x + 0)  # text has no + 0
    except OverflowError:
        raise OverflowError(
            "got an int beyond the largest float (about 1.8e308): a Value holds one float. Use a smaller number."
        ) from None
    except (TypeError, ValueError):
        pass
    raise TypeError(
        f"got {type(x).__name__}: a Value holds one number. Pass an int, a float or a Value."
    )
