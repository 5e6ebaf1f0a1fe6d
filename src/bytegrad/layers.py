"""Layers: a function each, together with what it learns or draws; and a chain of them."""

from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import DTypeLike

from bytegrad import functional, random
from bytegrad.errors import IndexingError
from bytegrad.module import Module, Parameter
from bytegrad.tensor import Tensor


class Sequential(Module):
    """Modules one after another: each one's output is the next one's input.

    Args:
        modules: named ``0``, ``1``, … in this order; an index gives one, a slice a shorter chain of the same modules.

    Raises:
        TypeError: something that is no Module.
        IndexingError: in ``chain[i]``, where there is no such module.

    >>> from bytegrad.nn import ReLU
    >>> chain = Sequential(Linear(3, 4), ReLU(), Linear(4, 2))
    >>> chain[1], len(chain[:2])
    (ReLU(), 2)
    """

    def __init__(self, *modules: Module) -> None:
        for i, module in enumerate(modules):
            if not isinstance(module, Module):
                raise TypeError(
                    f"module {i} of Sequential is {type(module).__name__}: it holds Modules, by number. "
                    "Use nn.ReLU() for a function such as relu, or write a Module around it."
                )
            setattr(self, str(i), module)
        self._length = len(modules)

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: int | slice) -> Any:
        """Return a module, or for a slice a chain."""
        try:
            chosen = range(self._length)[index]
        except (IndexError, TypeError):
            raise IndexingError(
                f"chain[{index!r}] of a Sequential of {self._length} modules: it names none of them. "
                "They are numbered from 0; pass one of these numbers, or a slice."
            ) from None
        if isinstance(chosen, range):
            return Sequential(*[getattr(self, str(i)) for i in chosen])
        return getattr(self, str(chosen))

    def forward(self, x: Any) -> Any:
        """Run the modules in order."""
        for i in range(self._length):
            x = getattr(self, str(i))(x)
        return x


class Linear(Module):
    """x @ weight + bias. Shapes: x (..., in), weight (in, out), bias (out,), result (..., out).

    Weight and bias are drawn evenly from ±1/√in, as PyTorch's are ([glorot2010], equation 1); PyTorch's weight is this
    one transposed. So a table of tokens that shall also be the last layer's weight is used as
    ``x @ tokens.weight.T``: it has not this shape. Keeps x and the weight.

    Args:
        in_features: the length of the last axis of x.
        out_features: the length of the result's.
        bias: whether there is one.
        generator: where they are drawn from; None for `bytegrad.random.default_generator()`.
        dtype: of weight and bias.

    Raises:
        ValueError: a width that is no whole number above 0.

    >>> layer = Linear(3, 2)
    >>> layer.weight.shape, bool(np.abs(layer.weight.data).max() <= 3**-0.5)
    ((3, 2), True)
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        generator: Generator | None = None,
        dtype: DTypeLike = "float32",
    ) -> None:
        shape = whole(in_features, "in_features"), whole(out_features, "out_features")
        self.in_features, self.out_features = shape
        draw, bound = random.witnessed(generator), shape[0] ** -0.5
        self.weight = Parameter(draw.uniform(-bound, bound, shape), dtype=dtype)
        self.bias = Parameter(draw.uniform(-bound, bound, shape[1]), dtype=dtype) if bias else None

    def forward(self, x: Any) -> Tensor:
        """Return x @ weight + bias."""
        return functional.linear(x, self.weight, self.bias)

    def extra_repr(self) -> str:
        """Return both widths."""
        return f"{self.in_features}, {self.out_features}"


class Embedding(Module):
    """Row i of a table for each index i. Shapes: indices (...), weight (V, d), result (..., d).

    The rows are drawn from the standard normal distribution, as PyTorch's are. Keeps the indices.

    Args:
        num_embeddings: V, how many rows there are.
        embedding_dim: d, how long each is.
        sparse: whether the gradient shall hold the rows alone that were asked for (`RowSparse`).
        generator: where they are drawn from; None for `bytegrad.random.default_generator()`.
        dtype: of the table.

    Raises:
        ValueError: a number that is no whole number above 0.

    >>> Embedding(10, 4)(np.array([[1, 2, 3]])).shape
    (1, 3, 4)
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        sparse: bool = False,
        generator: Generator | None = None,
        dtype: DTypeLike = "float32",
    ) -> None:
        shape = whole(num_embeddings, "num_embeddings"), whole(embedding_dim, "embedding_dim")
        self.num_embeddings, self.embedding_dim = shape
        self.weight = Parameter(random.witnessed(generator).standard_normal(shape), dtype=dtype)
        self.sparse = sparse

    def forward(self, indices: Any) -> Tensor:
        """Return a row of the table for each of the `indices`."""
        return functional.embedding(indices, self.weight, self.sparse)

    def extra_repr(self) -> str:
        """Return how many rows, and how long."""
        return f"{self.num_embeddings}, {self.embedding_dim}"


class LayerNorm(Module):
    """(x - mean) / √(variance + eps) * weight + bias over the last axis; weight starts as 1, bias as 0.

    Shapes: x (..., width), weight and bias (width,). Keeps x and the weight. Source: [ba2016].

    Args:
        width: the length of the last axis.
        eps: keeps the root away from 0.
        dtype: of weight and bias.

    Raises:
        ValueError: a width that is no whole number above 0.

    >>> LayerNorm(2)(Tensor([1.0, 3.0])).data.round(3).tolist()
    [-1.0, 1.0]
    """

    def __init__(self, width: int, eps: float = 1e-5, dtype: DTypeLike = "float32") -> None:
        self.width = whole(width, "width")
        self.weight = Parameter(np.ones(width), dtype=dtype)
        self.bias = Parameter(np.zeros(width), dtype=dtype)
        self.eps = eps

    def forward(self, x: Any) -> Tensor:
        """Return the normalized x, scaled and shifted."""
        return functional.layer_norm(x, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        """Return the width."""
        return str(self.width)


class Dropout(Module):
    """While `training`, each element is 0 with probability p, and the others are divided by 1 - p.

    Keeps one byte an element, the mask. Source: [srivastava2014].

    Args:
        p: from 0 to 1.
        generator: where the mask is drawn from; None for `bytegrad.random.default_generator()`.

    Raises:
        ValueError: p is no probability.

    >>> Dropout(0.5).eval()(Tensor([1.0, 2.0])).tolist()
    [1.0, 2.0]
    """

    def __init__(self, p: float = 0.5, generator: Generator | None = None) -> None:
        functional.dropout(0.0, p, training=False)  # refuses p
        self.p = p
        self.generator = generator

    def forward(self, x: Any) -> Tensor:
        """Return x with elements dropped, or in evaluation x."""
        return functional.dropout(x, self.p, self.training, self.generator)

    def extra_repr(self) -> str:
        """Return the probability."""
        return f"p={self.p}"


def whole(number: Any, name: str) -> int:
    """Return a number that counts something.

    Raises:
        ValueError: it is no whole number above 0.
    """
    if isinstance(number, bool) or not isinstance(number, (int, np.integer)) or number < 1:
        raise ValueError(f"{name} is {number!r}: it counts. Pass a whole number above 0.")
    return int(number)
