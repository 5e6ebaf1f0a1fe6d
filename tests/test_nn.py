"""Modules: parameters under names, and models that PyTorch would compute the same with."""

import copy
import pickle
import re
import threading
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bytegrad import Tensor, checkpoint, gradcheck, nn, optim, random
from bytegrad.edits import version
from bytegrad.errors import IndexingError
from bytegrad.sparse import RowSparse
from bytegrad.watch import Watcher, observe


def exactly(message: str) -> str:
    return f"^{re.escape(message)}$"


def names(module: nn.Module) -> list[str]:
    return [name for name, _ in module.named_parameters()]


class Net(nn.Module):
    """Every way of holding parts, and a shared parameter."""

    def __init__(self) -> None:
        self.scale = nn.Parameter([2.0])
        self.blocks = [nn.Linear(2, 3), nn.Sequential(nn.ReLU(), nn.Linear(3, 2))]
        self.heads = {"a": nn.Linear(2, 1), "b": (nn.Parameter(0.0), "text")}
        self.tied = self.blocks[0].weight
        self.constant = np.ones(2)
        self.parent = self
        self.again = self.blocks

    def forward(self, x: Any) -> Any:
        for block in self.blocks:
            x = block(x)
        return self.heads["a"](x) * self.scale


# What a module holds.


def test_parameters_have_dotted_names_and_appear_once() -> None:
    assert names(Net()) == [
        "scale",
        "blocks.0.weight",
        "blocks.0.bias",
        "blocks.1.1.weight",
        "blocks.1.1.bias",
        "heads.a.weight",
        "heads.a.bias",
        "heads.b.0",
    ]


def test_modules_have_dotted_names_and_appear_once() -> None:
    net = Net()
    found = dict(net.named_modules())
    assert list(found) == ["", "blocks.0", "blocks.1", "blocks.1.0", "blocks.1.1", "heads.a"]
    assert found[""] is net
    assert list(net.modules()) == list(found.values())
    assert list(dict(net.named_modules("net"))) == [
        "net",
        *(f"net.{name}" for name in found if name),
    ]


def test_parts_that_come_later_are_seen() -> None:
    net = Net()
    before = len(names(net))
    net.blocks.append(nn.Linear(2, 2))
    assert len(names(net)) == before + 2
    net.scale = None  # type: ignore[assignment]
    assert "scale" not in names(net)


def test_a_long_nest_of_modules_is_no_recursion() -> None:
    inner: nn.Module = nn.Linear(1, 1)
    for _ in range(2000):
        inner = nn.Sequential(inner)
    assert len(names(inner)) == 2


def test_a_tensor_that_nobody_would_learn_is_refused() -> None:
    net = nn.Sequential(nn.ReLU())
    net[0].weights = [Tensor([1.0]), Tensor([1.0], requires_grad=True)]
    message = (
        "0.weights.1 of Sequential is a Tensor that requires grad, but no Parameter: no optimizer would get to it. "
        "Make it a bytegrad.nn.Parameter, or keep its .detach()."
    )
    with pytest.raises(TypeError, match=exactly(message)):
        list(net.parameters())


@pytest.mark.parametrize(
    ("parts", "name"),
    [
        ({1: nn.ReLU(), "1": nn.Linear(1, 1)}, "parts.1"),
        ({"a.b": nn.Parameter(1.0), "a": {"b": nn.Parameter(2.0)}}, "parts.a.b"),
    ],
)
def test_two_parts_of_one_name_are_refused(parts: Any, name: str) -> None:
    net = nn.Module()
    net.parts = parts
    message = (
        f"{name} of Module names two different parts: only one of them would be saved. "
        "Give them keys that also differ as text, without dots."
    )
    with pytest.raises(ValueError, match=exactly(message)):
        net.state_dict()


@pytest.mark.parametrize("value", [Tensor([1.0]), np.ones(1), 2.0])
def test_a_parameter_is_not_replaced_unawares(value: Any) -> None:
    net = Net()
    message = (
        f"scale of Net is a Parameter, and would give way to {type(value).__name__}: an optimizer would go on with the "
        "old one, and nobody learn or save the new. Change it in place under no_grad(), as by scale.copy_(…), or "
        "assign a Parameter or None."
    )
    with pytest.raises(TypeError, match=exactly(message)):
        net.scale = value
    assert "scale" in names(net)
    for allowed in (nn.Parameter([3.0]), nn.Linear(1, 1), None):
        net.scale = nn.Parameter([2.0])
        net.scale = allowed
        assert net.scale is allowed
    net.scale = value  # None is no Parameter
    assert "scale" not in names(net)


def test_a_step_by_hand_on_a_modules_parameter_is_refused_not_lost() -> None:
    net = Net()
    with pytest.raises(TypeError, match="scale of Net is a Parameter"):
        net.scale = net.scale - 0.1


def test_a_long_vocabulary_is_not_walked_through() -> None:
    net = nn.Linear(1, 1)
    net.words = ["word"] * 100_000
    net.merges = dict.fromkeys(range(10), ("a", "b"))
    list(net.parameters())
    tracemalloc.start()
    list(net.parameters())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 20_000


def test_names_may_have_a_prefix() -> None:
    assert [name for name, _ in nn.Linear(1, 1).named_parameters("head")] == [
        "head.weight",
        "head.bias",
    ]


def test_results_may_be_kept() -> None:
    net = nn.Linear(2, 2)
    net.seen = net(np.ones((1, 2), dtype=np.float32))
    assert names(net) == ["weight", "bias"]


def test_a_parameter_is_a_tensor() -> None:
    p = nn.Parameter(np.arange(3.0), dtype="float32")
    assert p.requires_grad
    assert p.is_leaf
    y = (p * p).sum()
    assert type(y) is Tensor
    y.backward()
    assert p.grad.tolist() == [0, 2, 4]
    assert not nn.Parameter(1.0, requires_grad=False).requires_grad


# Running.


def test_a_module_without_forward_says_so() -> None:
    with pytest.raises(NotImplementedError, match=r"^Module has no forward$"):
        nn.Module()(1)


def test_hooks_see_and_replace() -> None:
    layer, seen = nn.ReLU(), []
    x = Tensor([1.0, -1.0])
    first = layer.register_forward_pre_hook(lambda module, inputs: seen.append((module, inputs)))
    layer.register_forward_pre_hook(lambda module, inputs: inputs[0] + 2)
    last = layer.register_forward_hook(lambda module, inputs, output: (output * 10,))
    (y,) = layer(x)
    assert seen == [(layer, (x,))]
    assert y.tolist() == [30, 10]
    last.remove()
    first.remove()
    first.remove()
    assert layer(x).tolist() == [3, 1]
    assert len(seen) == 1


def test_a_pre_hook_may_give_several_inputs() -> None:
    loss = nn.MSELoss()
    with loss.register_forward_pre_hook(lambda module, inputs: (inputs[0], np.zeros(2))):
        assert loss(Tensor([1.0, 1.0]), np.ones(2)).item() == 1
    assert loss(Tensor([1.0, 1.0]), np.ones(2)).item() == 0


def test_hooks_are_a_modules_own() -> None:
    a, b = nn.ReLU(), nn.ReLU()
    a.register_forward_hook(lambda module, inputs, output: 7)
    assert a(Tensor(1.0)) == 7
    assert b(Tensor(1.0)).item() == 1
    c = copy.deepcopy(b)
    c.register_forward_hook(lambda module, inputs, output: 7)
    assert b(Tensor(1.0)).item() == 1


def test_a_hook_must_be_callable() -> None:
    with pytest.raises(TypeError, match="the hook is 3"):
        nn.ReLU().register_forward_hook(3)  # type: ignore[arg-type]


def test_a_module_as_hook_is_no_part() -> None:
    net = nn.ReLU()
    net.register_forward_hook(nn.Linear(1, 1))  # type: ignore[arg-type]
    assert names(net) == []


class Notes(Watcher):
    """What a watcher is told of modules."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def module(self, module: Any, name: str, entered: bool) -> None:
        self.seen.append(f"{'>' if entered else '<'}{name}")


def test_watchers_are_told_of_modules_by_name() -> None:
    net, notes = Net(), Notes()
    x = np.ones((1, 2), dtype=np.float32)
    net(x)
    with observe(notes):
        net(x)
    net(x)
    assert notes.seen == [
        *(">", ">blocks.0", "<blocks.0"),
        *(">blocks.1", ">blocks.1.0", "<blocks.1.0", ">blocks.1.1", "<blocks.1.1", "<blocks.1"),
        *(">heads.a", "<heads.a", "<"),
    ]


def test_watchers_are_told_of_an_end_by_error() -> None:
    net, notes = nn.Sequential(nn.Linear(2, 2)), Notes()
    with observe(notes):
        with pytest.raises(ValueError, match="linear"):
            net(np.ones((1, 3), dtype=np.float32))
        nn.ReLU()(Tensor(1.0))
    assert notes.seen == [">", ">0", "<0", "<", ">", "<"]


def test_a_module_made_on_the_way_goes_by_its_class() -> None:
    class Maker(nn.Module):
        def forward(self, x: Any) -> Any:
            return nn.Tanh()(x)

    with observe(notes := Notes()):
        Maker()(Tensor(1.0))
    assert notes.seen == [">", ">Tanh", "<Tanh", "<"]


def test_threads_are_told_apart() -> None:
    net, notes = nn.ReLU(), Notes()
    with observe(notes):
        thread = threading.Thread(target=lambda: net(Tensor(1.0)))
        thread.start()
        thread.join()
    assert notes.seen == []


# Training.


def test_train_and_eval_reach_every_module() -> None:
    net = Net()
    assert net.training
    assert net.eval() is net
    assert not any(module.training for module in net.modules())
    assert net.train() is net
    assert all(module.training for module in net.modules())


def test_zero_grad_forgets() -> None:
    net = Net()
    net(np.ones((1, 2), dtype=np.float32)).sum().backward()
    assert net.scale.grad is not None
    net.zero_grad()
    assert all(p.grad is None for p in net.parameters())


def test_frozen_parts_stay_and_are_listed() -> None:
    net = Net()
    before = net.state_dict()
    assert net.blocks[0].requires_grad_(False) is net.blocks[0]
    assert names(net) == list(before)
    optimizer = optim.SGD(net.parameters(), lr=0.1)
    net(np.ones((1, 2), dtype=np.float32)).sum().backward()
    optimizer.step()
    assert net.blocks[0].weight.grad is None
    assert np.array_equal(net.blocks[0].weight.data, before["blocks.0.weight"])
    assert not np.array_equal(net.scale.data, before["scale"])
    net.requires_grad_()
    assert all(p.requires_grad for p in net.parameters())


@pytest.mark.parametrize("kind", ["SGD", "Adam", "AdamW"])
def test_a_small_network_learns_xor(kind: str) -> None:
    random.manual_seed(3)
    net = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 1))
    x = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], dtype=np.float32)
    y = np.array([[0], [1], [1], [0]], dtype=np.float32)
    options = {"momentum": 0.9} if kind == "SGD" else {}
    optimizer = getattr(optim, kind)(net.parameters(), lr=0.1, **options)
    loss_of = nn.BCEWithLogitsLoss()
    for _ in range(150):
        optimizer.zero_grad()
        loss = loss_of(net(x), y)
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.05


# Saving.


def test_a_state_is_a_copy_by_name() -> None:
    net = Net()
    state = net.state_dict()
    assert list(state) == names(net)
    state["scale"][:] = 9
    assert net.scale.data.tolist() == [2]


def test_a_state_goes_into_a_module_built_alike() -> None:
    a, b = Net(), Net()
    x = np.ones((1, 2), dtype=np.float32)
    arrays = [p.data for p in b.parameters()]
    assert a(x).item() != b(x).item()
    assert b.load_state_dict(a.state_dict()) == ([], [])
    assert a(x).item() == b(x).item()
    assert all(p.data is array for p, array in zip(b.parameters(), arrays, strict=True))
    assert all(version(array) == 1 for array in arrays)


def test_a_state_is_cast() -> None:
    net = nn.Linear(1, 1)
    net.load_state_dict({"weight": np.array([[3]]), "bias": Tensor(np.array([0.5]))})
    assert net.weight.dtype == np.float32
    assert net.weight.data.tolist() == [[3]]


def test_what_does_not_fit_is_listed_and_nothing_is_loaded() -> None:
    net = Net()
    before = net.state_dict()
    state = net.state_dict()
    state["blocks.0.bias"] = np.zeros(4)
    state["heads.a.bias"] = np.zeros(1, dtype=complex)
    state["extra"] = np.zeros(1)
    state["blocks.0.weight"] = state["blocks.0.weight"] + 1
    del state["scale"], state["heads.b.0"]
    bias = "blocks.0.bias has (4,) float64, not (3,) float32"
    wrong = f"wrong: {bias}; heads.a.bias has (1,) complex128, not (1,) float32"
    rule = (
        "each parameter takes the array of its own name and shape, and nothing was loaded. "
        "Build the module as it was when it was saved, or pass strict=False to load what has the same names."
    )
    seen = f"missing: scale, heads.b.0. unexpected: extra. {wrong}"
    message = f"state for Net does not fit ({seen}): {rule}"
    with pytest.raises(ValueError, match=exactly(message)):
        net.load_state_dict(state)
    message = f"state for Net does not fit ({wrong}): {rule}"
    with pytest.raises(ValueError, match=exactly(message)):
        net.load_state_dict(state, strict=False)
    for name, array in net.state_dict().items():
        assert np.array_equal(array, before[name])


def test_a_wrong_shape_alone_gets_no_advice_about_names() -> None:
    net = nn.Linear(1, 1, bias=False)
    message = (
        "state for Linear does not fit (wrong: weight has (1,) float64, not (1, 1) float32): "
        "each parameter takes the array of its own name and shape, and nothing was loaded. "
        "Build the module as it was when it was saved."
    )
    with pytest.raises(ValueError, match=exactly(message)):
        net.load_state_dict({"weight": np.zeros(1)})


def test_names_on_one_side_may_be_allowed() -> None:
    net = nn.Linear(2, 1)
    loaded = net.load_state_dict({"weight": np.ones((2, 1)), "other": 1}, strict=False)
    assert loaded == (["bias"], ["other"])
    assert loaded.missing == ["bias"]
    assert net.weight.data.tolist() == [[1], [1]]


def test_a_file_brings_a_model_back(tmp_path: Path) -> None:
    a, b = Net(), Net()
    path = tmp_path / "model"
    a.save(path)
    assert b.load(str(path)) == ([], [])
    assert all(np.array_equal(x, b.state_dict()[name]) for name, x in a.state_dict().items())
    assert [file.name for file in tmp_path.iterdir()] == ["model"]
    with np.load(path) as file:
        assert set(file) == set(names(a))


def test_an_interrupted_save_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    net, path = nn.Linear(1, 1), tmp_path / "model.npz"
    net.save(path)
    before = path.read_bytes()

    def torn(file: Any, *_: Any, **__: Any) -> None:
        file.write(b"half")
        raise OSError("no space left")

    monkeypatch.setattr(np.lib.format, "write_array", torn)
    with pytest.raises(OSError, match="no space left"):
        net.save(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_nothing_in_a_file_is_executed(tmp_path: Path) -> None:
    path = tmp_path / "model.npz"
    np.savez(path, weight=np.array([[print]], dtype=object), bias=np.zeros(1))
    message = f"load() of {str(path)!r}: Object arrays cannot be loaded when allow_pickle=False. {NOT_OPENED}"
    with pytest.raises(ValueError, match=exactly(message)):
        nn.Linear(1, 1).load(path)


NOT_OPENED = (
    "A model is read from an npz archive of plain arrays, and nothing else is opened, since it might be executed. "
    "Pass a whole file that save() wrote."
)


def test_what_is_no_model_is_not_opened(tmp_path: Path) -> None:
    path = tmp_path / "model"
    np.save(tmp_path / "model.npy", np.zeros(1))
    (tmp_path / "model.npy").rename(path)
    for junk in (path.read_bytes(), b"", pickle.dumps({"weight": 1})):
        path.write_bytes(junk)
        message = f"load() of {str(path)!r}: File is not a zip file. {NOT_OPENED}"
        with pytest.raises(ValueError, match=exactly(message)):
            nn.Linear(1, 1).load(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("weight.npy", b"\x93NUMPY")
    with pytest.raises(ValueError, match="Pass a whole file that save"):
        nn.Linear(1, 1).load(path)
    with pytest.raises(FileNotFoundError):
        nn.Linear(1, 1).load(tmp_path / "nothing")


def test_a_parameter_may_have_any_name(tmp_path: Path) -> None:
    a, b = nn.Module(), nn.Module()
    for net, start in ((a, 1.0), (b, 0.0)):
        for name in ("file", "allow_pickle", "args", "x.npy"):
            setattr(net, name, nn.Parameter(start))
        net.x = nn.Parameter(start + 1)
    a.save(tmp_path / "model")
    assert b.load(tmp_path / "model") == ([], [])
    assert b.state_dict() == a.state_dict()


@pytest.mark.parametrize("state", ["model.npz", None, [np.ones(1)]])
def test_a_state_is_a_dict(state: Any) -> None:
    message = (
        f"the state for Linear is {type(state).__name__}: each parameter takes the array of its own name. "
        "Pass what state_dict() gave, or call load() with the path of a file."
    )
    with pytest.raises(TypeError, match=exactly(message)):
        nn.Linear(1, 1).load_state_dict(state)


def test_odd_things_in_a_state_are_listed() -> None:
    message = (
        "state for Linear does not fit (unexpected: 0. wrong: weight has () object, not (1, 1) float32; "
        "bias has () object, not (1,) float32): each parameter"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        nn.Linear(1, 1).load_state_dict({"weight": [[1], [2, 3]], "bias": None, 0: np.ones(1)})


@pytest.mark.parametrize(
    "again", [copy.deepcopy, lambda net: pickle.loads(pickle.dumps(net))], ids=["copy", "pickle"]
)
def test_copies_keep_what_is_shared(again: Callable[[Any], Any]) -> None:
    net = Net()
    twin = again(net)
    assert names(twin) == names(net)
    assert twin.tied is twin.blocks[0].weight
    assert twin.tied is not net.tied
    assert type(twin.scale) is nn.Parameter
    twin(np.ones((1, 2), dtype=np.float32)).sum().backward()
    assert net.scale.grad is None
    assert twin.scale.grad is not None


# Looking at it.


def test_a_module_shows_its_shapes_and_counts() -> None:
    net = Net()
    net.blocks[0].requires_grad_(False)
    assert repr(net) == (
        "Net(): scale (1,), tied (2, 3), 22 parameters, 9 of them frozen\n"
        "  blocks.0: Linear(2, 3): weight (2, 3), bias (3,), 9 parameters, 9 of them frozen\n"
        "  blocks.1: Sequential(): 8 parameters\n"
        "    0: ReLU()\n"
        "    1: Linear(3, 2): weight (3, 2), bias (2,), 8 parameters\n"
        "  heads.a: Linear(2, 1): weight (2, 1), bias (1,), 3 parameters"
    )


def test_layers_show_their_settings() -> None:
    assert repr(nn.Dropout(0.1)) == "Dropout(p=0.1)"
    assert repr(nn.LeakyReLU(0.1)) == "LeakyReLU(negative_slope=0.1)"
    assert repr(nn.Softmax()) == "Softmax(axis=-1)"
    assert repr(nn.Flatten()) == "Flatten(1, -1)"
    bare = nn.LayerNorm(4)
    bare.weight = bare.bias = None
    assert repr(bare) == "LayerNorm(4)"
    assert bare(np.array([1.0, 1.0, 3.0, 3.0])).data.round(3).tolist() == [-1, -1, 1, 1]
    assert repr(nn.LayerNorm(4)) == "LayerNorm(4): weight (4,), bias (4,), 8 parameters"
    assert repr(nn.Embedding(1000, 4)) == "Embedding(1000, 4): weight (1000, 4), 4,000 parameters"
    first = repr(nn.MultiHeadAttention(4, 2)).splitlines()[0]
    assert first == "MultiHeadAttention(4, heads=2): 80 parameters"


# Layers.


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_linear_starts_as_pytorchs(dtype: str) -> None:
    layer = nn.Linear(100, 300, generator=np.random.default_rng(0), dtype=dtype)
    for p in layer.parameters():
        assert p.dtype == dtype
        assert np.abs(p.data).max() <= np.float32(0.1)
        assert np.abs(p.data).max() > 0.099
        assert p.data.std() == pytest.approx(0.2 / np.sqrt(12), rel=0.05)
    assert nn.Linear(2, 3, bias=False).bias is None
    assert names(nn.Linear(2, 3, bias=False)) == ["weight"]


def test_embedding_starts_as_pytorchs() -> None:
    weight = nn.Embedding(300, 100, generator=np.random.default_rng(0)).weight
    assert weight.data.mean() == pytest.approx(0, abs=0.02)
    assert weight.data.std() == pytest.approx(1, rel=0.02)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_sparse_table_trains_as_the_dense_one(dtype: str) -> None:
    batches = [np.array([[3, 1, 3], [0, 3, 1]]), np.array([[4, 4, 4]]), np.array([[0, 2, 1]])]
    tables, touched = [], []
    for sparse in (False, True):
        generator = np.random.default_rng(0)
        table = nn.Embedding(50, 3, sparse=sparse, generator=generator, dtype=dtype)
        head = nn.Linear(3, 2, generator=generator, dtype=dtype)
        before = table.weight.data.copy()
        optimizer = optim.SGD([*table.parameters(), *head.parameters()], lr=0.1)
        for indices in batches * 3:
            optimizer.zero_grad()
            head(table(indices)).tanh().square().sum().backward()
            assert isinstance(table.weight.grad, RowSparse) == sparse
            optimizer.step()
        tables.append(table.weight.data.tobytes())
        touched.append(np.flatnonzero((table.weight.data != before).any(axis=1)).tolist())
    assert tables[0] == tables[1]
    assert touched == [[0, 1, 2, 3, 4]] * 2


@pytest.mark.parametrize(
    "make",
    [
        lambda g: nn.Linear(3, 4, generator=g),
        lambda g: nn.Embedding(3, 4, generator=g),
        lambda g: nn.MultiHeadAttention(4, 2, generator=g),
        lambda g: nn.TransformerBlock(4, 2, generator=g),
    ],
)
def test_the_same_seed_makes_the_same_model(make: Callable[[Any], nn.Module]) -> None:
    random.manual_seed(4)
    one = make(None).state_dict()
    random.manual_seed(4)
    two = make(None).state_dict()
    three = make(np.random.default_rng(4)).state_dict()
    for name, array in one.items():
        assert np.array_equal(array, two[name])
        assert np.array_equal(array, three[name])


def test_dropout_asks_whether_it_trains() -> None:
    layer, x = nn.Dropout(0.5, np.random.default_rng(0)), Tensor(np.ones(100))
    assert 0 < np.count_nonzero(layer(x).data) < 100
    assert layer.eval()(x) is x
    with pytest.raises(ValueError, match="dropout with p=2"):
        nn.Dropout(2)


@pytest.mark.parametrize(
    ("layer", "x", "y"),
    [
        (nn.ReLU(), -1.0, 0.0),
        (nn.Tanh(), 0.5, np.tanh(0.5)),
        (nn.Sigmoid(), 0.0, 0.5),
        (nn.GELU(), 1.0, 0.8413447460685429),
        (nn.GELU("tanh"), 1.0, 0.8411919906082768),
        (nn.LeakyReLU(), -1.0, -0.01),
        (nn.Identity(), -1.0, -1.0),
    ],
)
def test_activations(layer: nn.Module, x: float, y: float) -> None:
    assert layer(Tensor(np.array(x))).item() == pytest.approx(y, abs=1e-12)


def test_axes_may_be_named() -> None:
    x = np.random.default_rng(0).standard_normal((2, 3, 4))
    assert nn.Softmax()(x).data.sum(-1).ravel().tolist() == pytest.approx([1] * 6)
    assert nn.Softmax(0)(x).data.sum(0).ravel().tolist() == pytest.approx([1] * 12)
    assert nn.Flatten()(x).shape == (2, 12)
    assert nn.Flatten(0, 1)(x).shape == (6, 4)


def test_losses_take_a_reduction() -> None:
    x, bits = np.array([0.2, 0.9]), np.array([0.0, 1.0])
    each = (x - bits) ** 2
    assert nn.MSELoss()(x, bits).item() == pytest.approx(each.mean())
    assert nn.MSELoss("sum")(x, bits).item() == pytest.approx(each.sum())
    each = -np.log([0.8, 0.9])
    assert nn.BCELoss("none")(x, bits).tolist() == pytest.approx(each.tolist())
    logits = np.log(x / (1 - x))
    assert nn.BCEWithLogitsLoss("sum")(logits, bits).item() == pytest.approx(each.sum())
    rows = np.log([[0.8, 0.2], [0.5, 0.5]])
    loss = nn.CrossEntropyLoss(ignore_index=7)(rows, np.array([0, 7]))
    assert loss.item() == pytest.approx(-np.log(0.8))
    with pytest.raises(TypeError, match="positional"):
        nn.CrossEntropyLoss("sum")  # type: ignore[misc]


def test_a_chain_is_indexed_and_sliced() -> None:
    layers = [nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1)]
    chain = nn.Sequential(*layers)
    assert len(chain) == 3
    assert list(chain) == layers
    assert chain[-1] is layers[2]
    assert names(chain) == ["0.weight", "0.bias", "2.weight", "2.bias"]
    assert list(chain[1:]) == layers[1:]
    x = np.ones((1, 2), dtype=np.float32)
    assert np.array_equal(chain(x).data, layers[2](layers[1](layers[0](x))).data)
    for odd in (3, "a", None):
        message = (
            f"chain[{odd!r}] of a Sequential of 3 modules: it names none of them. "
            "They are numbered from 0; pass one of these numbers, or a slice."
        )
        with pytest.raises(IndexingError, match=exactly(message)):
            chain[odd]
    assert nn.Sequential()(5) == 5


def test_a_chain_holds_modules() -> None:
    message = (
        "module 1 of Sequential is builtin_function_or_method: it holds Modules, by number. "
        "Use nn.ReLU() for a function such as relu, or write a Module around it."
    )
    with pytest.raises(TypeError, match=exactly(message)):
        nn.Sequential(nn.ReLU(), abs)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("make", "name", "value"),
    [
        (lambda n: nn.Linear(n, 1), "in_features", 0),
        (lambda n: nn.Linear(1, n), "out_features", 2.0),
        (lambda n: nn.Embedding(n, 1), "num_embeddings", -1),
        (lambda n: nn.Embedding(1, n), "embedding_dim", True),
        (nn.LayerNorm, "width", (3,)),
        (lambda n: nn.MultiHeadAttention(n, 1), "width", 0),
        (lambda n: nn.MultiHeadAttention(4, n), "heads", 0),
    ],
)
def test_a_size_is_a_whole_number(make: Callable[[Any], Any], name: str, value: Any) -> None:
    message = f"{name} is {value!r}: it counts. Pass a whole number above 0."
    with pytest.raises(ValueError, match=exactly(message)):
        make(value)


# Attention.


def test_heads_share_the_width() -> None:
    message = (
        "width 6 with 4 heads: each head works on an equal part of the width. "
        "Make the width a multiple of 4."
    )
    with pytest.raises(ValueError, match=exactly(message)):
        nn.MultiHeadAttention(6, 4)


def into_pytorch(ours: nn.MultiHeadAttention, theirs: Any, torch: Any) -> None:
    """Give PyTorch's attention our parameters."""
    parts = ours.query, ours.key, ours.value
    weight = np.concatenate([part.weight.data.T for part in parts])
    bias = np.concatenate([part.bias.data for part in parts])
    with torch.no_grad():
        theirs.in_proj_weight.copy_(torch.tensor(weight))
        theirs.in_proj_bias.copy_(torch.tensor(bias))
        theirs.out_proj.weight.copy_(torch.tensor(ours.output.weight.data.T))
        theirs.out_proj.bias.copy_(torch.tensor(ours.output.bias.data))


@pytest.mark.parametrize("is_causal", [False, True])
@pytest.mark.parametrize("cross", [False, True])
def test_attention_is_pytorchs(is_causal: bool, cross: bool) -> None:
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    ours = nn.MultiHeadAttention(6, 3, dtype="float64")
    theirs = torch.nn.MultiheadAttention(6, 3, batch_first=True, dtype=torch.float64)
    into_pytorch(ours, theirs, torch)
    x, context = rng.standard_normal((2, 5, 6)), rng.standard_normal((2, 5, 6))
    a = Tensor(x, requires_grad=True)
    b = torch.tensor(x, requires_grad=True)
    source = context if cross else None
    mask = ~torch.ones(5, 5, dtype=torch.bool).tril() if is_causal else None
    other = torch.tensor(context) if cross else b
    y = ours(a, source, is_causal=is_causal)
    z, _ = theirs(b, other, other, attn_mask=mask)
    np.testing.assert_allclose(y.data, z.detach().numpy(), rtol=1e-9, atol=1e-12)
    y.square().sum().backward()
    z.square().sum().backward()
    np.testing.assert_allclose(a.grad, b.grad.numpy(), rtol=1e-9, atol=1e-12)
    weight = theirs.in_proj_weight.grad.numpy()[:6].T
    np.testing.assert_allclose(ours.query.weight.grad, weight, rtol=1e-9, atol=1e-12)


def test_a_block_is_pytorchs() -> None:
    torch = pytest.importorskip("torch")
    ours = nn.TransformerBlock(6, 2, hidden=10, dtype="float64")
    theirs = torch.nn.TransformerEncoderLayer(
        6, 2, 10, 0.0, "gelu", batch_first=True, norm_first=True, dtype=torch.float64
    )
    into_pytorch(ours.attention, theirs.self_attn, torch)
    with torch.no_grad():
        for linear, layer in [(theirs.linear1, ours.network[0]), (theirs.linear2, ours.network[2])]:
            linear.weight.copy_(torch.tensor(layer.weight.data.T))
            linear.bias.copy_(torch.tensor(layer.bias.data))
    x = np.random.default_rng(0).standard_normal((2, 4, 6))
    mask = torch.nn.Transformer.generate_square_subsequent_mask(4, dtype=torch.float64)
    y = ours(x, is_causal=True)
    z = theirs(torch.tensor(x), src_mask=mask)
    np.testing.assert_allclose(y.data, z.detach().numpy(), rtol=1e-9, atol=1e-12)


def test_a_block_bears_out_its_gradient() -> None:
    block = nn.TransformerBlock(4, 2, hidden=3, dtype="float64")
    x = Tensor(np.random.default_rng(0).standard_normal((3, 4)), requires_grad=True)
    gradcheck(lambda x, *_: block(x, is_causal=True), x, *block.parameters())


def test_what_comes_later_does_not_matter_to_causal_attention() -> None:
    block = nn.TransformerBlock(4, 2)
    x = np.random.default_rng(0).standard_normal((1, 5, 4)).astype(np.float32)
    y = block(x, is_causal=True).data
    x[:, 3:] = 9
    np.testing.assert_allclose(block(x, is_causal=True).data[:, :3], y[:, :3], atol=1e-6)


def test_padding_can_be_masked() -> None:
    layer = nn.MultiHeadAttention(4, 2)
    x = np.random.default_rng(0).standard_normal((2, 5, 4)).astype(np.float32)
    real = np.array([[True, True, True, False, False], [True] * 5])
    y = layer(x, mask=real[:, None, None, :]).data  # (B, 1, 1, S)
    np.testing.assert_allclose(y[:1, :3], layer(x[:1, :3]).data, atol=1e-6)


def test_a_block_without_a_batch_is_the_same() -> None:
    block = nn.TransformerBlock(4, 2)
    x = np.random.default_rng(0).standard_normal((5, 4)).astype(np.float32)
    np.testing.assert_allclose(block(x).data, block(x[None]).data[0], atol=1e-6)


def test_dropout_of_a_block_stops_in_evaluation() -> None:
    block = nn.TransformerBlock(8, 2, dropout=0.5, generator=np.random.default_rng(0))
    x = np.ones((4, 8), dtype=np.float32)
    assert not np.array_equal(block(x).data, block(x).data)
    block.eval()
    assert np.array_equal(block(x).data, block(x).data)


def test_a_call_that_nobody_watches_takes_no_list_of_names() -> None:
    net, x = nn.Sequential(*[nn.ReLU() for _ in range(500)]), Tensor(1.0)
    net(x)
    tracemalloc.start()
    net(x)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4096


def test_what_a_block_adds_may_be_dropped_whole() -> None:
    block = nn.TransformerBlock(8, 2, dropout=1.0)
    x = np.random.default_rng(0).standard_normal((4, 8)).astype(np.float32)
    assert np.array_equal(block(x).data, x)


def test_a_checkpoint_drops_the_same_again() -> None:
    block = nn.TransformerBlock(8, 2, dropout=0.5)
    x = np.random.default_rng(0).standard_normal((4, 8)).astype(np.float32)

    def gradients(run: Callable[[Tensor], Tensor]) -> list[bytes]:
        random.manual_seed(6)
        block.zero_grad()
        leaf = Tensor(x, requires_grad=True)
        run(leaf).square().sum().backward()
        assert random.default_generator().random() != np.random.default_rng(6).random()
        return [tensor.grad.tobytes() for tensor in (leaf, *block.parameters())]

    assert gradients(block) == gradients(lambda leaf: checkpoint(block, leaf))
