"""What PyTorch keeps for each operation, by its own hooks on the CPU: book/torch/saved.json."""

import ast
from pathlib import Path
from typing import Any, NamedTuple

# What the calls are made of. How much is kept depends on shapes and dtypes, never on the numbers.
INPUTS = {
    "a": "float32 64×256",
    "b": "float32 64×256",
    "W": "float32 256×128",
    "bias": "float32 128",
    "scale": "float32 256",
    "shift": "float32 256",
    "table": "float32 1000×256",
    "rows": "int64 64",
    "classes": "int64 64",
    "q": "float32 1×4×256×64",
    "k": "float32 1×4×256×64",
    "v": "float32 1×4×256×64",
}


class Call(NamedTuple):
    """One call, as both engines read it: what a record shows is the very text that was run.

    `F` is the engine's functional module; `torch` stands only where PyTorch spells the call otherwise.
    """

    method: str
    call: str
    torch: str = ""


CALLS = [
    Call("__add__", "a + b"),
    Call("__sub__", "a - b"),
    Call("__mul__", "a * b"),
    Call("__mul__", "a * 2.5"),
    Call("__truediv__", "a / b"),
    Call("__truediv__", "a / 2.5"),
    Call("__truediv__", "2.5 / a"),
    Call("__neg__", "-a"),
    Call("__pow__", "a**b"),
    Call("__pow__", "a**3"),
    Call("__pow__", "2.5**a"),
    Call("__matmul__", "a @ W"),
    Call("exp", "a.exp()"),
    Call("log", "a.log()"),
    Call("sqrt", "a.sqrt()"),
    Call("abs", "a.abs()"),
    Call("sin", "a.sin()"),
    Call("cos", "a.cos()"),
    Call("erf", "a.erf()"),
    Call("tanh", "a.tanh()"),
    Call("sigmoid", "a.sigmoid()"),
    Call("relu", "a.relu()"),
    Call("leaky_relu", "a.leaky_relu()", "F.leaky_relu(a)"),
    Call("leaky_relu", "a.leaky_relu(-0.5)", "F.leaky_relu(a, -0.5)"),
    Call("gelu", "a.gelu()", "F.gelu(a)"),
    Call("gelu", "a.gelu('tanh')", "F.gelu(a, approximate='tanh')"),
    Call("softplus", "a.softplus()", "F.softplus(a)"),
    Call("astype", "a.astype('float64')", "a.double()"),
    Call("maximum", "a.maximum(b)"),
    Call("maximum", "a.maximum(0)", "a.maximum(torch.tensor(0.0))"),
    Call("minimum", "a.minimum(b)"),
    Call("where", "a.where(a > b, b)"),
    Call("sum", "a.sum()"),
    Call("sum", "a.sum(-1)"),
    Call("mean", "a.mean()"),
    Call("mean", "a.mean(-1)"),
    Call("max", "a.max()"),
    Call("max", "a.max(-1)", "a.amax(-1)"),
    Call("min", "a.min()"),
    Call("min", "a.min(-1)", "a.amin(-1)"),
    Call("softmax", "a.softmax(-1)"),
    Call("log_softmax", "a.log_softmax(-1)"),
    Call("reshape", "a.reshape(256, 64)"),
    Call("transpose", "a.transpose(0, 1)"),
    Call("permute", "a.permute(1, 0)"),
    Call("broadcast_to", "bias.broadcast_to((64, 128))"),
    Call("concatenate", "a.concatenate(b)", "torch.concatenate([a, b])"),
    Call("__getitem__", "a[3:7]"),
    Call("__getitem__", "a[rows]"),
    Call("__getitem__", "a[a > 0]"),
    Call(
        "scatter",
        "a.scatter(rows, (64, 256))",
        "torch.zeros(64, 256).index_put((rows,), a, accumulate=True)",
    ),
    Call("embedding", "table.embedding(rows)", "F.embedding(rows, table)"),
    Call("linear", "a.linear(W, bias)", "F.linear(a, W.T, bias)"),
    Call("layer_norm", "a.layer_norm()", "F.layer_norm(a, (256,))"),
    Call("layer_norm", "a.layer_norm(scale, shift)", "F.layer_norm(a, (256,), scale, shift)"),
    Call("mse", "a.mse(b)", "F.mse_loss(a, b)"),
    Call("bce", "a.bce(b)", "F.binary_cross_entropy(a, b)"),
    Call("bce_with_logits", "a.bce_with_logits(b)", "F.binary_cross_entropy_with_logits(a, b)"),
    Call("cross_entropy", "a.cross_entropy(classes)", "F.cross_entropy(a, classes)"),
    Call("cross_entropy", "a.cross_entropy(b)", "F.cross_entropy(a, b)"),
    # what is one operation there and several here, or finds ties otherwise
    Call("max with indices", "a.max(-1)", "a.max(-1).values"),
    Call("square", "a.square()"),
    Call("clamp", "a.clamp(0, 1)"),
    Call("masked_fill", "a.masked_fill(a > 0, 0)"),
    Call("var", "a.var(-1)"),
    Call("std", "a.std(-1)"),
    Call("logsumexp", "a.logsumexp(-1)"),
    Call("dropout", "F.dropout(a)"),
    Call("scaled_dot_product_attention", "F.scaled_dot_product_attention(q, k, v)"),
]


def questions(call: Call) -> list[dict[str, str]]:
    """Return what PyTorch is asked about a call: all inputs that can require a gradient do so, then each alone."""
    used = {node.id for node in ast.walk(ast.parse(call.call)) if isinstance(node, ast.Name)}
    names = [name for name in INPUTS if name in used]
    floating = [name for name in names if INPUTS[name].startswith("float")]
    return [
        {
            "method": call.method,
            "call": call.call,
            "torch": call.torch or call.call,
            "inputs": " ".join(names),
            "grads": grads,
        }
        for grads in dict.fromkeys([" ".join(floating), *floating])
    ]


def asked() -> list[dict[str, str]]:
    """Return the questions of all calls, in the record's order."""
    return sorted((q for call in CALLS for q in questions(call)), key=key)


def key(record: dict[str, Any]) -> tuple[str, str, str]:
    """Return what tells one question of a record from all others."""
    return record["method"], record["call"], record["grads"]


def answered(record: dict[str, str]) -> dict[str, Any]:
    """Return a question with what PyTorch keeps: each storage that its hooks report, once and whole.

    `kept` are all bytes; `new` those that are not an input's own memory.
    """
    import torch

    inputs = {}
    for name in record["inputs"].split():
        dtype, _, shape = INPUTS[name].partition(" ")
        number = 0.5 if dtype.startswith("float") else 0
        sizes = tuple(map(int, shape.split("×")))
        inputs[name] = torch.full(
            sizes,
            number,
            dtype=getattr(torch, dtype),
            requires_grad=name in record["grads"].split(),
        )
    reported: list[Any] = []

    def pack(tensor: Any) -> Any:
        reported.append(tensor)
        return tensor

    within = {"torch": torch, "F": torch.nn.functional, **inputs}
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        output = eval(record["torch"], within)
    assert output.requires_grad
    owners = {x.untyped_storage().data_ptr(): name for name, x in inputs.items()}
    nbytes, words = {}, {}
    for tensor in reported:
        storage = tensor.untyped_storage()
        place = storage.data_ptr()
        dtype = str(tensor.dtype).removeprefix("torch.")
        shape = "×".join(map(str, tensor.shape)) or "scalar"
        nbytes[place] = storage.nbytes()
        words.setdefault(place, owners.get(place, f"new {dtype} {shape}"))
    return record | {
        "kept": sum(nbytes.values()),
        "new": sum(size for place, size in nbytes.items() if place not in owners),
        "saved": ", ".join(sorted(words.values())) or "nothing",
    }


def record(folder: Path) -> dict[str, Any]:
    """Return the whole record; it needs nothing of the `folder` that it goes to."""
    import torch

    return {
        "version": torch.__version__.partition("+")[0],
        "inputs": INPUTS,
        "calls": list(map(answered, asked())),
    }
