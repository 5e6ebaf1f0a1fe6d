"""`course.toml` is read whole, and a mistake in it is named with its line and a remedy."""

from pathlib import Path

import pytest

from bookproof import course
from tests.tiny_book import REPO


def test_the_real_file_says_what_the_defaults_say() -> None:
    assert course.load(REPO / course.FILE) == course.Course()


def test_a_chapter_finds_the_file_from_its_own_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(REPO / "book")
    assert course.load() == course.load(REPO / course.FILE)
    assert course.find_root() == REPO


def test_what_is_left_out_keeps_its_default(tmp_path: Path) -> None:
    file = tmp_path / "course.toml"
    file.write_text("[mlp]\nwidths = [2, 8, 1]\n", encoding="utf-8")
    loaded = course.load(file)
    assert loaded.mlp == course.MLP(widths=(2, 8, 1))
    assert loaded.model == course.Model()


MISTAKES = [
    ("[mlp]\nbatch = 0", 2, "whole number of at least 1"),
    ("[mlp]\nbatch = true", 2, "whole number of at least 1"),
    ("[mlp]\n\nwidths = [3]", 3, "at least two whole numbers"),
    ("[mlp]\nwidths = 784", 2, "a list of"),
    ("[linear]\ninputs = 1.5", 2, "whole number"),
    ('[hardware]\ncard = "16 GB"', 2, "a size above zero"),
    ("[hardware]\ncard = inf", 2, "a size above zero"),
    ('[hardware]\ncard_unit = "Gb"', 2, '"GB", "GiB"'),
    ('[model]\ndtype = "float31"', 2, '"float32"'),
    ('[model]\noptimizer = "Adam"', 2, '"adam"'),
    ('[model]\noptimiser = "adam"', 2, "parameters, dtype, optimizer"),
    ("[transformer]\nlayers = 0", 2, "whole number of at least 1"),
    ("[transformer]\nseq = 64", 2, "layers, hidden, heads, sequence, batch, vocabulary"),
    ("[transformer]\n\nhidden = 100", 3, "a multiple of heads"),
    ("[transformer]\nhidden = 768\nheads = 7", 3, "a multiple of heads"),
    ("[modle]\nparameters = 1", 1, "course, repository, launch"),
    ("parameters = 1", 1, "no section"),
    ('[course]\nname = " "', 2, "some text"),
    ("[course]\nyear = 26", 2, "four digits"),
    ('[repository]\nurl = "git@host:a/b"', 2, "https://"),
    ('[launch]\nbinder = "mybinder.org"', 2, "https://"),
    ('[repository]\nbranch = "a b"', 2, "without spaces"),
    ("[mlp\nbatch = 1", 1, "cannot be read as TOML"),
]


@pytest.mark.parametrize(("text", "line", "remedy"), MISTAKES)
def test_a_mistake_is_named_with_its_line_and_its_remedy(
    tmp_path: Path, text: str, line: int, remedy: str
) -> None:
    file = tmp_path / "course.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(course.CourseError) as caught:
        course.load(file)
    message = str(caught.value)
    assert f"course.toml:{line}:" in message or f"line {line}" in message
    assert remedy in message


def test_outside_a_course_the_root_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(course.CourseError, match=r"no _toc\.yml in .* run this from inside"):
        course.find_root(tmp_path)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    file = tmp_path / "course.toml"
    with pytest.raises(course.CourseError, match=r"course\.toml: No such file"):
        course.load(file)
    file.write_bytes(b'[course]\nname = "\xff"\n')
    with pytest.raises(course.CourseError, match="UTF-8"):
        course.load(file)


def test_a_key_that_stands_twice_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "course.toml"
    file.write_text("[mlp]\nbatch = 1\nbatch = 2\n", encoding="utf-8")
    with pytest.raises(course.CourseError, match="a key stands once in its section"):
        course.load(file)
