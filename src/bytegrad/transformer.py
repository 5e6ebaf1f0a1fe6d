"""Attention in several heads, and the block that a transformer repeats."""

from typing import Any

from numpy.random import Generator
from numpy.typing import DTypeLike

from bytegrad import functional
from bytegrad.activations import GELU
from bytegrad.layers import Dropout, LayerNorm, Linear, Sequential, whole
from bytegrad.module import Module
from bytegrad.tensor import Tensor


class MultiHeadAttention(Module):
    """Attention in several heads: each looks with its own part of the width; their results are put together.

    Keeps x, queries, keys and values, what the heads found, and S numbers for each head and position [vaswani2017].

    Args:
        width: C, the length of the last axis of x.
        heads: H, how many; they share the width, D = C / H each.
        dropout: how likely a weight of attention is dropped in training.
        generator: where parameters and dropout are drawn from.
        dtype: of the parameters.

    Raises:
        ValueError: a number that is no whole number above 0, or a width that the heads cannot share.

    >>> from bytegrad import zeros
    >>> MultiHeadAttention(8, heads=2)(zeros(3, 5, 8), is_causal=True).shape
    (3, 5, 8)
    """

    def __init__(
        self,
        width: int,
        heads: int,
        dropout: float = 0.0,
        generator: Generator | None = None,
        dtype: DTypeLike = "float32",
    ) -> None:
        if whole(width, "width") % whole(heads, "heads"):
            raise ValueError(
                f"width {width} with {heads} heads: each head works on an equal part of the width. "
                f"Make the width a multiple of {heads}."
            )
        self.width, self.heads = width, heads
        self.dropout = Dropout(dropout, generator)
        self.query, self.key, self.value, self.output = (
            Linear(width, width, generator=generator, dtype=dtype) for _ in range(4)
        )

    def forward(
        self, x: Any, context: Any = None, mask: Any = None, is_causal: bool = False
    ) -> Tensor:
        """Return what each position finds. Shapes: x and result (..., T, C), context (..., S, C).

        Args:
            x: what asks.
            context: what answers; x itself if left out.
            mask: True where a position may look, or numbers to add; broadcasts to (..., H, T, S).
            is_causal: position i looks at 0 … i only.
        """
        source = x if context is None else context
        y = functional.scaled_dot_product_attention(
            self._heads(self.query(x)),  # (..., H, T, D)
            self._heads(self.key(source)),  # (..., H, S, D)
            self._heads(self.value(source)),  # (..., H, S, D)
            mask,
            is_causal=is_causal,
            dropout_p=self.dropout.p if self.training else 0.0,
            generator=self.dropout.generator,
        )  # (..., H, T, D)
        y = y.swapaxes(-3, -2)  # (..., T, H, D)
        return self.output(y.flatten(-2))  # type: ignore[no-any-return]  # (..., T, C)

    def _heads(self, x: Tensor) -> Tensor:
        x = x.reshape(*x.shape[:-1], self.heads, -1)  # (..., T, H, D)
        return x.swapaxes(-3, -2)  # (..., H, T, D)

    def extra_repr(self) -> str:
        """Return the width and the heads."""
        return f"{self.width}, heads={self.heads}"


class TransformerBlock(Module):
    """x ← x + attention(norm(x)), then x ← x + network(norm(x)): a block of GPT-2, with the norm first.

    The network widens to `hidden`, applies GELU, and narrows again. Source: [radford2019].

    Args:
        width: C, the length of the last axis of x.
        heads: how many attention has.
        hidden: the width inside the network, 4 C if left out.
        dropout: how likely an element is dropped in training: weights of attention, and what is added to x.
        generator: where parameters and dropout are drawn from.
        dtype: of the parameters.

    Raises:
        ValueError: a number that is no whole number above 0, or a width that the heads cannot share.

    >>> from bytegrad import zeros
    >>> block = TransformerBlock(8, heads=2)
    >>> block(zeros(3, 5, 8), is_causal=True).shape
    (3, 5, 8)
    >>> sum(p.size for p in block.parameters()) == 12 * 8**2 + 13 * 8
    True
    """

    def __init__(
        self,
        width: int,
        heads: int,
        hidden: int | None = None,
        dropout: float = 0.0,
        generator: Generator | None = None,
        dtype: DTypeLike = "float32",
    ) -> None:
        inner = 4 * width if hidden is None else hidden
        self.attention_norm = LayerNorm(width, dtype=dtype)
        self.attention = MultiHeadAttention(width, heads, dropout, generator, dtype)
        self.network_norm = LayerNorm(width, dtype=dtype)
        self.network = Sequential(
            Linear(width, inner, generator=generator, dtype=dtype),
            GELU(),
            Linear(inner, width, generator=generator, dtype=dtype),
        )
        self.dropout = Dropout(dropout, generator)

    def forward(self, x: Any, mask: Any = None, is_causal: bool = False) -> Tensor:
        """Return the new x, of the same shape (..., T, C); `mask` and `is_causal` are those of `MultiHeadAttention`."""
        found = self.attention(self.attention_norm(x), mask=mask, is_causal=is_causal)
        x = x + self.dropout(found)  # (..., T, C)
        y: Tensor = x + self.dropout(self.network(self.network_norm(x)))  # (..., T, C)
        return y
