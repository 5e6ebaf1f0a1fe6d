"""Data: every example once, the same order again, and one line that shows how far it is."""

import contextlib
import hashlib
import io
import re
import tomllib
from collections import namedtuple
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import bytegrad
from bytegrad import DtypeError, GraphError, ShapeError, Tensor, handwriting, meter, random, story
from bytegrad.data import (
    DataLoader,
    Dataset,
    TensorDataset,
    default_collate,
    digits,
    progress,
    tale,
)
from bytegrad.errors import IndexingError, RangeError


def exactly(message: str) -> str:
    return f"^{re.escape(message)}$"


class Plain(Dataset):
    """The same examples as a TensorDataset's, one by one."""

    def __init__(self, *arrays: np.ndarray) -> None:
        self.inner = TensorDataset(*arrays)

    def __len__(self) -> int:
        return len(self.inner)

    def __getitem__(self, index: int) -> Any:
        assert isinstance(index, int)
        return self.inner[index]


ROWS = np.arange(14.0).reshape(7, 2), np.arange(7)


def walk(loader: DataLoader) -> list[list[Any]]:
    return [[part.tolist() for part in batch] for batch in loader]


# Datasets.


def test_rows_are_views_unless_they_are_chosen() -> None:
    pairs = TensorDataset(*ROWS)
    assert len(pairs) == 7
    assert [part.tolist() for part in pairs[2]] == [[4.0, 5.0], 2]
    x, y = pairs[1:3]
    assert np.shares_memory(x.data, ROWS[0])
    assert y.tolist() == [1, 2]
    assert [part.tolist() for part in pairs[np.array([6, 0])]] == [[[12, 13], [0, 1]], [6, 0]]


def test_tensors_may_be_data_unless_they_learn() -> None:
    x = Tensor([[1.0], [2.0]])
    (row,) = TensorDataset(x)[0]
    assert np.shares_memory(row.data, x.data)
    with pytest.raises(GraphError):
        TensorDataset(Tensor([1.0], requires_grad=True))


@pytest.mark.parametrize("shapes", [[], [()], [(2,), (3,)], [(2,), ()]])
def test_arrays_need_as_many_rows(shapes: list[Any]) -> None:
    message = (
        f"TensorDataset of shapes {shapes}: example i is row i of each, so each needs the same number of rows. "
        "Pass one array or more, of equal length along axis 0."
    )
    with pytest.raises(ShapeError, match=exactly(message)):
        TensorDataset(*map(np.ones, shapes))


def test_arrays_hold_numbers_in_equal_rows() -> None:
    message = (
        "TensorDataset of a ragged list: example i is row i, and the rows of an array are of one length. "
        "Pad the short rows, or keep the list: DataLoader takes one as well."
    )
    with pytest.raises(ShapeError, match=exactly(message)):
        TensorDataset([[1], [2, 3]])
    with pytest.raises(DtypeError, match="got <U1"):
        TensorDataset(["a", "b"])


@pytest.mark.parametrize("index", [7, -8, "a", 1.0])
def test_rows_have_numbers(index: Any) -> None:
    pairs = TensorDataset(*ROWS)
    message = (
        f"dataset[{index!r}] of 7 examples: it selects none of them. "
        "They are numbered from 0; pass numbers, a slice, or an array of numbers."
    )
    with pytest.raises(IndexingError, match=exactly(message)):
        pairs[index]
    assert [int(y) for _, y in pairs] == list(range(7))  # it ends a walk


# Batches.


@pytest.mark.parametrize("kind", [TensorDataset, Plain])
def test_batches_in_order(kind: Any) -> None:
    loader = DataLoader(kind(*ROWS), batch_size=3)
    batches = list(loader)
    assert len(loader) == len(batches) == 3
    assert [len(y) for _, y in batches] == [3, 3, 1]
    assert np.array_equal(np.concatenate([x.data for x, _ in batches]), ROWS[0])
    assert np.array_equal(np.concatenate([y.data for _, y in batches]), ROWS[1])
    assert walk(loader) == walk(loader)


@pytest.mark.parametrize("kind", [TensorDataset, Plain])
def test_a_short_last_batch_may_be_dropped(kind: Any) -> None:
    loader = DataLoader(kind(*ROWS), batch_size=3, drop_last=True)
    assert len(loader) == len(list(loader)) == 2
    assert len(DataLoader(kind(*ROWS), 7, drop_last=True)) == 1
    assert len(list(DataLoader(kind(*ROWS), 8, drop_last=True))) == 0
    assert len(list(DataLoader(kind(*ROWS), 8))) == 1


def test_an_empty_dataset_has_no_batches() -> None:
    loader = DataLoader(TensorDataset(np.zeros((0, 3))), shuffle=True)
    assert len(loader) == len(list(loader)) == 0


@pytest.mark.parametrize("kind", [TensorDataset, Plain])
def test_shuffling_is_reproducible_and_fresh_each_walk(kind: Any) -> None:
    def walks() -> list[list[Any]]:
        generator = np.random.default_rng(5)
        loader = DataLoader(kind(*ROWS), 3, shuffle=True, generator=generator)
        return [walk(loader), walk(loader)]

    one, two = walks()
    assert [one, two] == walks()
    assert one != two
    assert sorted(number for _, y in one for number in y) == list(range(7))
    for rows, numbers in one:
        assert rows == ROWS[0][numbers].tolist()


def test_cutting_whole_batches_changes_nothing() -> None:
    a, b = (
        DataLoader(kind(*ROWS), 3, shuffle=True, generator=np.random.default_rng(5))
        for kind in (TensorDataset, Plain)
    )
    assert walk(a) == walk(b)


def test_without_a_generator_the_seed_decides() -> None:
    loader = DataLoader(TensorDataset(*ROWS), 3, shuffle=True)
    random.manual_seed(2)
    first = walk(loader)
    random.manual_seed(2)
    assert walk(loader) == first


def test_the_order_is_drawn_when_the_walk_begins() -> None:
    loader = DataLoader(range(4), 4, shuffle=True, generator=np.random.default_rng(0))
    one, two = iter(loader), iter(loader)
    late = next(two).tolist()
    again = DataLoader(range(4), 4, shuffle=True, generator=np.random.default_rng(0))
    assert [next(one).tolist(), late] == [batch.tolist() for _ in range(2) for batch in again]


def test_a_collate_of_ones_own() -> None:
    loader = DataLoader(TensorDataset(*ROWS), 3, collate_fn=len)
    assert list(loader) == [3, 3, 1]
    plain = DataLoader(TensorDataset(*ROWS), 3, collate_fn=default_collate)
    assert walk(plain) == walk(DataLoader(TensorDataset(*ROWS), 3, collate_fn=None))


@pytest.mark.parametrize("kind", [TensorDataset, Plain])
@pytest.mark.parametrize("shuffle", [False, True])
def test_an_edited_batch_leaves_the_data_as_they_are(kind: Any, shuffle: bool) -> None:
    rows = np.ones((4, 2))
    for (x,) in DataLoader(kind(rows), 2, shuffle=shuffle):
        x.zero_()
    assert np.array_equal(rows, np.ones((4, 2)))


def test_a_dataset_of_ones_own_is_asked_for_each_example() -> None:
    class Doubled(TensorDataset):
        def __getitem__(self, index: int) -> Any:
            assert isinstance(index, int)
            return tuple(x * 2 for x in super().__getitem__(index))

    (batch,) = DataLoader(Doubled(np.arange(3)), 3)
    assert batch[0].tolist() == [0, 2, 4]


@pytest.mark.parametrize("dataset", [None, 3, {1, 2}, iter("ab")])
def test_examples_are_counted_and_fetched(dataset: Any) -> None:
    message = (
        f"dataset is {type(dataset).__name__}: batches are cut by number out of so many examples. "
        "Pass what has __len__ and __getitem__, such as a list or a TensorDataset."
    )
    with pytest.raises(TypeError, match=exactly(message)):
        DataLoader(dataset)


def test_what_collates_is_called() -> None:
    message = (
        "collate_fn is 3: it is called with a list of examples. "
        "Pass a function, or None for default_collate."
    )
    with pytest.raises(TypeError, match=exactly(message)):
        DataLoader([1], collate_fn=3)  # type: ignore[arg-type]


@pytest.mark.parametrize("size", [0, -1, 2.5, True, None, "2"])
def test_a_batch_size_counts(size: Any) -> None:
    message = f"batch_size is {size!r}: it counts examples. Pass a whole number that is 1 or more."
    with pytest.raises(ValueError, match=exactly(message)):
        DataLoader(range(3), size)


# Joining examples.

Pair = namedtuple("Pair", ["x", "y"])


@pytest.mark.parametrize(
    ("examples", "dtype"),
    [
        ([1, 2], "int64"),
        ([1, 2.5], "float32"),
        ([True, False], "bool"),
        ([np.float64(1), np.float64(2)], "float64"),
        ([np.ones(2, dtype="int8"), np.zeros(2, dtype="int8")], "int8"),
        ([Tensor([1.0]), Tensor([2.0])], "float32"),
    ],
)
def test_numbers_and_arrays_become_a_tensor(examples: list[Any], dtype: str) -> None:
    batch = default_collate(examples)
    assert isinstance(batch, Tensor)
    assert batch.dtype == dtype
    assert np.array_equal(batch.data, np.stack([np.asarray(x) for x in examples]))


def test_kinds_are_kept() -> None:
    batch = default_collate(
        [Pair([1, "a"], {"k": (1.0, b"c")}), Pair([2, "b"], {"k": (2.0, b"d")})]
    )
    assert isinstance(batch, Pair)
    assert batch.x[0].tolist() == [1, 2]
    assert batch.x[1] == ["a", "b"]
    assert batch.y["k"][0].tolist() == [1, 2]
    assert batch.y["k"][1] == [b"c", b"d"]


@pytest.mark.parametrize(
    ("examples", "what", "seen"),
    [
        ([np.ones(2), np.ones(3)], "shapes", "(2,), (3,)"),
        ([(1, 2), (1,)], "lengths", "2, 1"),
        ([{"a": 1}, {"b": 1}], "keys", "('a',), ('b',)"),
        ([{"a": ([1],)}, {"a": ([1, 2],)}], "lengths in ['a'][0]", "1, 2"),
    ],
)
def test_unlike_examples_are_named(examples: list[Any], what: str, seen: str) -> None:
    message = (
        f"examples with different {what}: {seen}. A batch has one of each place. "
        "Pad or cut the examples, or pass a collate_fn= of your own."
    )
    with pytest.raises(ShapeError, match=exactly(message)):
        default_collate(examples)


@pytest.mark.parametrize(
    ("examples", "seen"),
    [
        ([1.0, "3"], "example 1 of a batch has str, where example 0 has float"),
        ([True, 5], "example 1 of a batch has int, where example 0 has bool"),
        ([1, np.int64(2)], "example 1 of a batch has int64, where example 0 has int"),
        (["a", 1], "example 1 of a batch has int, where example 0 has str"),
        ([(1,), 3], "example 1 of a batch has int, where example 0 has tuple"),
        (
            [(1.0, 1), (2.0, None)],
            "example 1 of a batch has NoneType in [1], where example 0 has int",
        ),
        ([{"x": [None]}] * 2, "example 0 of a batch has NoneType in ['x'][0]"),
    ],
)
def test_what_is_joined_is_of_one_kind(examples: list[Any], seen: str) -> None:
    message = (
        f"{seen}: what is joined is of one kind, and None would be no number. "
        "Mend the examples, or pass a collate_fn= of your own."
    )
    with pytest.raises(DtypeError, match=exactly(message)):
        default_collate(examples)


def test_a_batch_has_examples_and_arrays_hold_numbers() -> None:
    message = "a batch of no examples: there is no shape for it. Pass at least one example."
    with pytest.raises(ShapeError, match=exactly(message)):
        default_collate([])
    with pytest.raises(DtypeError, match="got datetime64"):
        default_collate([np.datetime64("2020-01-01")])
    assert default_collate([np.str_("a"), "b"]) == ["a", "b"]
    message = (
        f"a batch with {2**70} in [0]: it does not fit into 64 bits. "
        "Pass such numbers as text, or as floats."
    )
    with pytest.raises(RangeError, match=exactly(message)):
        default_collate([(1,), (-(2**70),)])


def test_learned_tensors_are_not_joined_without_their_gradient() -> None:
    with pytest.raises(GraphError):
        default_collate([Tensor([1.0], requires_grad=True)])


# Progress.


class Terminal(io.StringIO):
    """A terminal, and a clock that each look moves on."""

    def __init__(self, seconds: float = 0.25) -> None:
        super().__init__()
        self.seconds = seconds

    def isatty(self) -> bool:
        return True


@contextlib.contextmanager
def shown(stream: io.StringIO) -> Iterator[io.StringIO]:
    """Make this stream standard error."""
    looks = iter(range(10**6))
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stderr(stream):
        patch.setattr(meter.time, "perf_counter", lambda: next(looks) * stream.seconds)
        yield stream


def lines(stream: io.StringIO) -> list[str]:
    return stream.getvalue().split("\r")[1:]


def test_progress_is_renewed_in_place() -> None:
    with shown(Terminal()) as stream:
        assert list(progress("abcd", label="reading")) == list("abcd")
    assert lines(stream) == [
        "reading 1/4 [######..................] 4.0/s 0:01 left",
        "reading 2/4 [############............] 4.0/s 0:00 left",
        "reading 3/4 [##################......] 4.0/s 0:00 left",
        "reading 4/4 [########################] 4.0/s 0:01     ",
        "reading 4/4 [########################] 3.2/s 0:01\n",
    ]


def test_progress_of_unknown_length() -> None:
    with shown(Terminal()) as stream:
        assert list(progress(iter("ab"))) == ["a", "b"]
    assert lines(stream) == ["1 4.0/s 0:00", "2 4.0/s 0:00", "2 2.7/s 0:01\n"]


def test_progress_is_not_renewed_faster_than_eyes_can_follow() -> None:
    with shown(Terminal(seconds=2**-10)) as stream:
        list(progress(range(1000)))
    assert len(lines(stream)) == 9 + 1


@pytest.mark.parametrize(
    ("items", "total", "last"),
    [
        ("", 0, "0/0 [########################] 0.0/s 0:00\n"),
        ("ab", 9, "2/9 [#####...................] 2.7/s 0:03 left\n"),
        ("ab", 1, "2/1 [########################] 2.7/s 0:01\n"),
    ],
)
def test_a_total_may_be_wrong(items: str, total: int, last: str) -> None:
    with shown(Terminal()) as stream:
        list(progress(iter(items), total))
    assert lines(stream)[-1] == last


def test_a_walk_that_is_left_ends_its_line() -> None:
    with shown(Terminal()) as stream:
        for _ in progress(range(5)):
            break
    assert lines(stream) == ["1/5 [####....................] 4.0/s 0:01 left\n"]


def test_a_walk_that_breaks_ends_its_line() -> None:
    def broken() -> Iterator[int]:
        yield 1
        raise KeyError("here")

    with shown(Terminal()) as stream, pytest.raises(KeyError, match="here"):
        list(progress(broken(), 5))
    assert lines(stream)[-1] == "1/5 [####....................] 2.0/s 0:02 left\n"


def test_a_notebooks_stream_is_renewed_as_well() -> None:
    kind = type("OutStream", (io.StringIO,), {"__module__": "ipykernel.iostream", "seconds": 0.25})
    with shown(kind()) as stream:
        list(progress("ab"))
    assert lines(stream)[-1].startswith("2/2")


def test_a_log_stays_clean(capsys: Any) -> None:
    assert list(progress("ab")) == ["a", "b"]
    assert len(list(DataLoader(range(2), progress=True))) == 2
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(("asked", "start"), [(True, "1/2 ["), ("epoch 3", "epoch 3 1/2 [")])
def test_a_loader_shows_its_progress(asked: Any, start: str) -> None:
    with shown(Terminal()) as stream:
        assert len(list(DataLoader(range(3), 2, progress=asked))) == 2
    assert lines(stream)[0].startswith(start)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0:00"), (61, "1:01"), (3599.6, "1:00:00"), (36_061, "10:01:01")]
)
def test_times_are_readable(seconds: float, text: str) -> None:
    assert meter._clock(seconds) == text


# The digits that come along.


def test_the_digits_are_those_of_the_source() -> None:
    images, labels = digits("all")
    assert (images.dtype, labels.dtype) == (np.float32, np.int64)
    assert np.bincount(labels).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    pixels = (images * 16).astype(np.uint8)
    np.testing.assert_array_equal(pixels / np.float32(16), images)
    assert (images.min(), images.max()) == (0, 1)
    found = hashlib.sha256(pixels.tobytes() + labels.astype(np.uint8).tobytes()).hexdigest()
    assert found == "87ff0c9e40dc7e2c0e34e7257799c2e3f3aec1a016363bb11cad869ec428a826"


def test_every_fifth_digit_is_for_testing() -> None:
    images, labels = digits("all")
    (train, names), (test, test_names) = digits(), digits("test")
    assert (train.shape, test.shape) == ((1438, 8, 8), (359, 8, 8))
    np.testing.assert_array_equal(test, images[4::5])
    np.testing.assert_array_equal(test_names, labels[4::5])
    np.testing.assert_array_equal(train[:8], images[[0, 1, 2, 3, 5, 6, 7, 8]])
    np.testing.assert_array_equal(names[:8], labels[[0, 1, 2, 3, 5, 6, 7, 8]])
    assert np.bincount(names).min() > 120
    assert np.bincount(test_names).min() > 20


def test_digits_are_new_arrays_in_each_call() -> None:
    images, labels = digits("test")
    images[:], labels[:] = 0, 0
    assert digits("test")[0].any()
    assert digits("test")[1].any()


def test_a_split_has_a_name() -> None:
    message = 'split is \'valid\': the digits are divided once and for all. Pass "train", "test" or "all".'
    with pytest.raises(ValueError, match=exactly(message)):
        digits("valid")


def test_digits_that_were_left_behind_are_missed(monkeypatch: Any, tmp_path: Path) -> None:
    monkeypatch.setattr(handwriting, "__file__", str(tmp_path / "handwriting.py"))
    with pytest.raises(FileNotFoundError, match="Install the package as a whole"):
        digits()


def test_a_wheel_has_the_digits_and_their_licence() -> None:
    folder = Path(bytegrad.__file__).parent
    settings = tomllib.loads((folder.parents[1] / "pyproject.toml").read_text(encoding="utf-8"))
    patterns = settings["tool"]["setuptools"]["package-data"]["bytegrad"]
    shipped = {path.name for pattern in patterns for path in folder.glob(pattern)}
    assert {"digits.npz", "digits.LICENSE.txt"} <= shipped
    assert "CC BY 4.0" in (folder / "digits.LICENSE.txt").read_text(encoding="utf-8")
    assert (folder / "digits.npz").stat().st_size < 80_000


# The tale that comes along.


def test_the_tale_is_plain_letters_and_few_words() -> None:
    text = tale()
    assert set(text) <= set("abcdefghijklmnopqrstuvwxyz ,.\n")
    assert 6_000 < len(text) < 7_000
    assert len(set(re.findall("[a-z]+", text))) < 200
    assert text.endswith(".\n")
    assert not text.startswith("\n")


def test_a_tale_that_was_left_behind_is_missed(monkeypatch: Any, tmp_path: Path) -> None:
    monkeypatch.setattr(story, "__file__", str(tmp_path / "story.py"))
    with pytest.raises(FileNotFoundError, match="Install the package as a whole"):
        tale()


def test_a_wheel_has_the_tale_and_its_licence() -> None:
    folder = Path(bytegrad.__file__).parent
    settings = tomllib.loads((folder.parents[1] / "pyproject.toml").read_text(encoding="utf-8"))
    patterns = settings["tool"]["setuptools"]["package-data"]["bytegrad"]
    shipped = {path.name for pattern in patterns for path in folder.glob(pattern)}
    assert {"tale.txt", "tale.LICENSE.txt"} <= shipped
    assert "CC BY 4.0" in (folder / "tale.LICENSE.txt").read_text(encoding="utf-8")
