"""What training takes, in closed form: parameters, gradients, optimizer state, activations.

Plain Python without an import, so that the same text answers here and, under MicroPython, in the reader's
browser. All sizes are bytes; a unit appears only where a size is shown.

Args (all of them):
    size: how many of a unit.
    unit: a key of `UNITS`.
    nbytes: a size in bytes.
    digits: how many decimals to show.
    inputs: how many numbers a layer takes for each row.
    outputs: how many it gives.
    widths: the numbers a row between the layers of a chain, from its input to its output.
    batch: the rows, b.
    dtype: a key of `DTYPES`.
    parameters: how many numbers are learned.
    layers: how many layers or blocks, L.
    hidden: the width, h.
    heads: of attention, a.
    sequence: the positions in a row, s.
    vocabulary: the tokens that have an embedding, V.
    positions: the positions that have one, n.

Raises (all of them):
    ValueError: a count that is no whole number above 0, a size that no memory has, or a key that is in no table.
"""

#: Bytes an element.
DTYPES = {"float64": 8, "float32": 4, "float16": 2, "bfloat16": 2}

#: How many numbers an optimizer remembers for each parameter.
OPTIMIZERS = {"sgd": 0, "momentum": 1, "adam": 2, "adamw": 2}

#: Bytes a unit: kB, MB, GB, TB count in thousands, KiB, MiB, GiB, TiB in 1024s.
UNITS = {
    "B": 1,
    "kB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "TB": 10**12,
    "KiB": 2**10,
    "MiB": 2**20,
    "GiB": 2**30,
    "TiB": 2**40,
}


def to_bytes(size: float, unit: str) -> float:
    """Return how many bytes `size` of `unit` are.

    >>> to_bytes(16, "GiB") - to_bytes(16, "GB")
    1179869184
    """
    if not 0 <= size < 1e300:
        raise ValueError(f"size is {size}: no memory has that many bytes. Give 0 or more.")
    return size * look_up(UNITS, unit, "unit")


def in_unit(nbytes: float, unit: str) -> float:
    """Return a number of bytes as a number of `unit`.

    >>> in_unit(65536, "KiB")
    64.0
    """
    return nbytes / look_up(UNITS, unit, "unit")


def show(nbytes: float, unit: str, digits: int = 2) -> str:
    """Return a size as text with its unit; whole numbers without decimals.

    >>> show(16e9, "GB"), show(16e9, "GiB")
    ('16 GB', '14.90 GiB')
    """
    if not -1e300 < nbytes < 1e300:
        raise ValueError(f"size is {nbytes}: that is no number of bytes. Give a finite one.")
    number = in_unit(nbytes, unit)
    text = ("{:." + str(0 if number == int(number) else digits) + "f}").format(number)
    return text + " " + unit


def linear_parameters(inputs: int, outputs: int) -> int:
    """Return the parameters of a linear layer with bias: weight inputs × outputs, and outputs biases.

    >>> linear_parameters(512, 768)
    393984
    """
    n = whole(outputs, "outputs")
    return whole(inputs, "inputs") * n + n


def mlp_parameters(widths: "list[int] | tuple[int, ...]") -> int:
    """Return the parameters of a chain of linear layers: Σ (m n + n) over the widths m, n on both sides of each.

    >>> mlp_parameters([784, 512, 256, 128, 10])
    567434
    """
    return sum(linear_parameters(m, n) for m, n in _layers(widths))


def mlp_activations(
    widths: "list[int] | tuple[int, ...]", batch: int, dtype: str = "float32"
) -> int:
    """Return the bytes that a chain of linear and ReLU layers keeps for backward.

    They are the input of each linear layer. The outputs of the last one are not
    among them: no rule needs them. ReLU keeps its own output, which is the next
    layer's input and so costs nothing more.

    >>> mlp_activations([784, 512, 256, 128, 10], batch=64)
    430080
    """
    each = look_up(DTYPES, dtype, "dtype") * whole(batch, "batch")
    return sum(m * each for m, _ in _layers(widths))


def training_states(
    parameters: int,
    dtype: str = "float32",
    optimizer: str = "adam",
    mixed: bool = False,
) -> "dict[str, int]":
    """Return the bytes of what training keeps for each parameter, by part.

    Args:
        parameters: how many there are.
        dtype: of parameters and gradients.
        optimizer: a key of `OPTIMIZERS`.
        mixed: whether the optimizer works on a float32 master copy, with its
            state in float32 as well [micikevicius2018].

    >>> training_states(1000)
    {'parameters': 4000, 'gradients': 4000, 'optimizer state': 8000}
    """
    p = whole(parameters, "parameters")
    each = look_up(DTYPES, dtype, "dtype")
    numbers = look_up(OPTIMIZERS, optimizer, "optimizer")
    parts = {"parameters": p * each, "gradients": p * each}
    if mixed:
        parts["master copy"] = p * DTYPES["float32"]
        each = DTYPES["float32"]
    parts["optimizer state"] = p * each * numbers
    return parts


def transformer_parameters(layers: int, hidden: int, vocabulary: int, positions: int) -> int:
    """Return the parameters of a GPT: 12 L h² + 13 L h + (V + n) h + 2 h.

    A block holds 4 h² + 4 h in attention, 8 h² + 5 h in its two-layer network of width 4 h, and 4 h in two layer
    norms; then come token and position embeddings, and a last norm. The output layer shares the token embedding.

    >>> transformer_parameters(12, 768, 50257, 1024)
    124439808
    """
    h = whole(hidden, "hidden")
    blocks = whole(layers, "layers") * (12 * h * h + 13 * h)
    return blocks + (whole(vocabulary, "vocabulary") + whole(positions, "positions")) * h + 2 * h


def transformer_activations(
    layers: int, hidden: int, heads: int, sequence: int, batch: int
) -> float:
    """Return the bytes that a GPT's blocks keep: L s b h (34 + 5 a s / h).

    In 16-bit floats, for the blocks alone, with dropout, and with attention scores
    written out (Korthikanti et al., 2023, equation 2).

    >>> transformer_activations(12, 768, 12, 1024, 8)
    8606711808.0
    """
    s, h = whole(sequence, "sequence"), whole(hidden, "hidden")
    a, b = whole(heads, "heads"), whole(batch, "batch")
    return whole(layers, "layers") * s * b * h * (34 + 5 * a * s / h)


def transformer_block_activations(
    hidden: int,
    heads: int,
    sequence: int,
    batch: int,
    inner: "int | None" = None,
    dtype: str = "float32",
    dropout: bool = True,
) -> int:
    """Return the bytes that a block of `bytegrad.nn` keeps: s b (8 h + 2 f) numbers, and a s² b for the scores.

    The block's input, each norm's result, queries, keys, values, what attention found, and the sum after it are h wide.
    Two arrays are f wide: what GELU gets and what it gives. The weights of attention are s numbers for each head and
    position. Dropout adds these weights once more, and three masks of one byte an element. The ledger counts the same,
    to the byte; in 16-bit floats, with dropout and f = 4 h, it is s b h (34 + 5 a s / h) [korthikanti2023].

    Args:
        hidden: the width h.
        heads: of attention, a.
        sequence: the positions in a row, s.
        batch: the rows, b.
        inner: the width f inside the network; 4 h if left out.
        dtype: of parameters and activations.
        dropout: whether it drops, as in training with a probability above 0.

    >>> transformer_block_activations(768, 12, 1024, 8, dtype="float16")
    717225984
    >>> transformer_activations(1, 768, 12, 1024, 8)
    717225984.0
    """
    rest, scores = _block(hidden, heads, sequence, inner, dtype, dropout)
    return whole(batch, "batch") * (rest + scores)


def attention_share(
    hidden: int,
    heads: int,
    sequence: int,
    inner: "int | None" = None,
    dtype: str = "float32",
    dropout: bool = True,
) -> float:
    """Return the part of a block's activations that has a number for each two positions: the weights of attention.

    The arguments are those of `transformer_block_activations`.

    >>> round(attention_share(768, 12, 1024, dtype="float16"), 3)
    0.702
    """
    rest, scores = _block(hidden, heads, sequence, inner, dtype, dropout)
    return scores / (rest + scores)


def _block(
    hidden: int, heads: int, sequence: int, inner: "int | None", dtype: str, dropout: bool
) -> "tuple[int, int]":
    """Return the bytes of a block and one row: what grows with s, and what grows with s²."""
    h, a, s = whole(hidden, "hidden"), whole(heads, "heads"), whole(sequence, "sequence")
    if h % a:
        raise ValueError(f"hidden is {h} for {a} heads: they share it equally. Give a multiple.")
    f = 4 * h if inner is None else whole(inner, "inner")
    each = look_up(DTYPES, dtype, "dtype")
    rest, scores = s * (8 * h + 2 * f) * each, a * s * s * each
    if dropout:
        return rest + 2 * s * h, 2 * scores + a * s * s
    return rest, scores


def _layers(widths: "list[int] | tuple[int, ...]") -> "list[tuple[int, int]]":
    if len(widths) < 2:
        raise ValueError(
            f"widths {list(widths)}: a layer leads from one width to the next. Give at least two widths."
        )
    for width in widths:
        whole(width, "width")
    return [(widths[i], widths[i + 1]) for i in range(len(widths) - 1)]


def whole(number: int, name: str) -> int:
    """Return the `number` of something as an int; `name` says of what.

    Raises:
        ValueError: it is not a whole number above 0.

    >>> whole(32.0, "batch")
    32
    """
    if isinstance(number, (bool, str)) or not 1 <= number < 1e300 or number != int(number):
        raise ValueError(f"{name} is {number!r}: it counts things. Give a whole number above 0.")
    return int(number)


def look_up(table: "dict[str, int]", key: str, what: str) -> int:
    """Return what a table says of a key.

    Args:
        table: one of those above.
        key: what to look for.
        what: what that is, for the error.

    Raises:
        ValueError: the table has no such key.

    >>> look_up(DTYPES, "float32", "dtype")
    4
    """
    if key not in table:
        raise ValueError(f"unknown {what} {key!r}. Use one of: {', '.join(table)}.")
    return table[key]
