"""Models that cross over: the same outputs and gradients in PyTorch's own modules, and the same bytes back."""

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from bytegrad import Tensor, nn


class Reader(nn.Module):
    """Holds parts in all ways, and a parameter of its own."""

    def __init__(self, dtype: str = "float64") -> None:
        self.tokens = nn.Embedding(7, 6, dtype=dtype)
        self.places = nn.Parameter(np.linspace(-1, 1, 24).reshape(4, 6), dtype=dtype)
        self.blocks = [nn.TransformerBlock(6, 2, hidden=10, dtype=dtype) for _ in range(2)]
        self.norm = nn.LayerNorm(6, dtype=dtype)
        self.head = nn.Linear(6, 7, bias=False, dtype=dtype)

    def forward(self, indices: Any) -> Any:
        x = self.tokens(indices) + self.places
        for block in self.blocks:
            x = block(x, is_causal=True)
        return self.head(self.norm(x))


def theirs(torch: Any, dtype: str) -> Any:
    """Return PyTorch's model of the same work."""

    class Twin(torch.nn.Module):  # type: ignore[name-defined, misc]
        def __init__(self) -> None:
            super().__init__()
            self.tokens = torch.nn.Embedding(7, 6)
            self.places = torch.nn.Parameter(torch.zeros(4, 6))
            self.blocks = torch.nn.ModuleList(
                torch.nn.TransformerEncoderLayer(
                    6, 2, 10, 0.0, "gelu", batch_first=True, norm_first=True
                )
                for _ in range(2)
            )
            self.norm = torch.nn.LayerNorm(6)
            self.head = torch.nn.Linear(6, 7, bias=False)

        def forward(self, indices: Any) -> Any:
            x = self.tokens(indices) + self.places
            mask = ~torch.ones(4, 4, dtype=torch.bool).tril()
            for block in self.blocks:
                x = block(x, src_mask=mask)
            return self.head(self.norm(x))

    return Twin().to(getattr(torch, dtype))


def tensors(torch: Any, state: dict[str, Any]) -> dict[str, Any]:
    return {name: torch.from_numpy(array) for name, array in state.items()}


INDICES = np.array([[1, 2, 2, 6], [0, 3, 5, 1]])


@pytest.mark.parametrize(("dtype", "rtol"), [("float64", 1e-9), ("float32", 2e-4)])
def test_a_whole_model_crosses_over_and_computes_the_same(dtype: str, rtol: float) -> None:
    torch = pytest.importorskip("torch")
    ours, twin = Reader(dtype), theirs(torch, dtype)
    twin.load_state_dict(tensors(torch, nn.to_pytorch(ours)), strict=True)
    y, z = ours(INDICES), twin(torch.from_numpy(INDICES))
    atol = rtol * float(np.abs(y.data).max())
    np.testing.assert_allclose(y.data, z.detach().numpy(), rtol=rtol, atol=atol)
    y.square().mean().backward()
    z.square().mean().backward()
    # Gradients cross over by the same names: put them where the numbers were.
    for p in ours.parameters():
        p.requires_grad_(False).copy_(p.grad)
    slopes = nn.to_pytorch(ours)
    assert slopes.keys() == dict(twin.named_parameters()).keys()
    for name, p in twin.named_parameters():
        bound = rtol * float(p.grad.abs().max()) + 1e-12
        np.testing.assert_allclose(slopes[name], p.grad.numpy(), rtol=rtol, atol=bound)


def test_a_state_of_pytorchs_comes_back_bit_by_bit() -> None:
    torch = pytest.importorskip("torch")
    ours, twin = Reader(), theirs(torch, "float64")
    assert nn.from_pytorch(ours, twin.state_dict()) == nn.Loaded([], [])
    y, z = ours(INDICES), twin(torch.from_numpy(INDICES))
    np.testing.assert_allclose(y.data, z.detach().numpy(), rtol=1e-9, atol=1e-12)
    for name, array in nn.to_pytorch(ours).items():
        np.testing.assert_array_equal(array, twin.state_dict()[name].numpy())


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda: nn.Linear(3, 2, bias=False), "Linear(3, 2, bias=False)"),
        (lambda: nn.Embedding(5, 3), "Embedding(5, 3)"),
        (lambda: nn.LayerNorm(3), "LayerNorm(3)"),
        (lambda: nn.MultiHeadAttention(6, 3), "MultiheadAttention(6, 3)"),
        (lambda: nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 1)), ""),
    ],
)
def test_each_layer_is_taken_strictly(make: Callable[[], nn.Module], name: str) -> None:
    torch = pytest.importorskip("torch")
    layer = make()
    if name:
        there = eval(f"torch.nn.{name}", {"torch": torch})
    else:
        parts = torch.nn.Linear(3, 4), torch.nn.ReLU(), torch.nn.Linear(4, 1)
        there = torch.nn.Sequential(*parts)
    there.load_state_dict(tensors(torch, nn.to_pytorch(layer)), strict=True)
    fresh = make()
    nn.from_pytorch(fresh, there.state_dict())
    for a, b in zip(layer.parameters(), fresh.parameters(), strict=True):
        np.testing.assert_array_equal(a.data, b.data)


def test_names_and_shapes_over_there() -> None:
    state = nn.to_pytorch(Reader())
    shapes = {name: array.shape for name, array in state.items() if name.startswith("blocks.1")}
    assert shapes == {
        "blocks.1.norm1.weight": (6,),
        "blocks.1.norm1.bias": (6,),
        "blocks.1.self_attn.in_proj_weight": (18, 6),
        "blocks.1.self_attn.in_proj_bias": (18,),
        "blocks.1.self_attn.out_proj.weight": (6, 6),
        "blocks.1.self_attn.out_proj.bias": (6,),
        "blocks.1.norm2.weight": (6,),
        "blocks.1.norm2.bias": (6,),
        "blocks.1.linear1.weight": (10, 6),
        "blocks.1.linear1.bias": (10,),
        "blocks.1.linear2.weight": (6, 10),
        "blocks.1.linear2.bias": (6,),
    }
    rest = ["tokens.weight", "places", "norm.weight", "norm.bias", "head.weight"]
    assert [name for name in state if not name.startswith("blocks")] == rest


def test_there_and_back_without_pytorch() -> None:
    ours, other = Reader(), Reader()
    assert nn.from_pytorch(other, nn.to_pytorch(ours)) == nn.Loaded([], [])
    for a, b in zip(ours.parameters(), other.parameters(), strict=True):
        np.testing.assert_array_equal(a.data, b.data)
        assert not np.shares_memory(a.data, b.data)


def test_what_travels_is_a_copy_in_rows() -> None:
    layer = nn.Linear(3, 2)
    weight = nn.to_pytorch(layer)["weight"]
    assert weight.flags.c_contiguous
    assert not np.shares_memory(weight, layer.weight.data)
    np.testing.assert_array_equal(weight, layer.weight.data.T)


def test_a_shared_parameter_goes_by_its_first_name() -> None:
    class Tied(nn.Module):
        def __init__(self) -> None:
            self.first = nn.Linear(2, 2)
            self.second = self.first

    assert list(nn.to_pytorch(Tied())) == ["first.weight", "first.bias"]


def refused(ask: Callable[[], object], said: str, kind: type[Exception] = ValueError) -> None:
    with pytest.raises(kind, match=re.escape(said)):
        ask()


def test_nothing_is_loaded_where_something_does_not_fit() -> None:
    layer = nn.Linear(3, 2)
    before = layer.state_dict()
    good = nn.to_pytorch(nn.Linear(3, 2))
    bad = [
        ({"weight": good["weight"]}, "(missing: bias)"),
        (good | {"more": good["bias"]}, "(unexpected: more)"),
        (good | {"bias": np.ones(3)}, "(wrong: bias has (3,), not (2,))"),
        (
            good | {"weight": good["weight"].T},
            "weight has (3, 2), not (2, 3) (it lies as it does here; load_state_dict takes it)",
        ),
        (good | {"weight": "text"}, "weight of PyTorch's state is str of <U4"),
    ]
    for state, said in bad:
        refused(lambda state=state: nn.from_pytorch(layer, state), said)  # type: ignore[misc]
    for name, array in layer.state_dict().items():
        np.testing.assert_array_equal(array, before[name])


def test_without_strict_the_names_are_told() -> None:
    layer = nn.Linear(3, 2)
    state = {"bias": np.ones(2), "running_mean": np.ones(2)}
    assert nn.from_pytorch(layer, state, strict=False) == nn.Loaded(["weight"], ["running_mean"])
    np.testing.assert_array_equal(layer.bias.data, [1, 1])


def test_a_state_is_no_model_and_a_list_no_state() -> None:
    layer = nn.Linear(3, 2)
    refused(lambda: nn.to_pytorch(layer.state_dict()), "dict is no Module", TypeError)  # type: ignore[arg-type]
    refused(lambda: nn.from_pytorch(layer, [1]), "the state for Linear is list", TypeError)  # type: ignore[arg-type]


def test_a_tensor_that_numpy_cannot_read_is_named() -> None:
    torch = pytest.importorskip("torch")
    layer = nn.Linear(1, 1)
    for weight in (torch.nn.Linear(1, 1).weight, torch.ones(1, 1, dtype=torch.bfloat16)):
        state = {"weight": weight, "bias": torch.ones(1)}
        refused(lambda state=state: nn.from_pytorch(layer, state), "NumPy cannot read it")  # type: ignore[misc]


def test_a_square_weight_that_lies_the_other_way_is_not_seen() -> None:
    """The one mistake that no shape gives away; the chapter shows it."""
    layer = nn.Linear(2, 2, bias=False)
    state = {"weight": np.array([[1.0, 2.0], [3.0, 4.0]])}
    nn.from_pytorch(layer, state)
    right = layer(Tensor([[1.0, 0.0]])).tolist()
    layer.load_state_dict(state)
    assert right == [[1.0, 3.0]] != layer(Tensor([[1.0, 0.0]])).tolist()
