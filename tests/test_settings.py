"""What a book tells bookproof in its pyproject.toml."""

from pathlib import Path

import pytest

from bookproof.settings import Settings, SettingsError, load


def test_without_a_table_the_packages_are_those_below_src(tmp_path: Path) -> None:
    assert load(tmp_path) == Settings((), "book/torch")
    for name in ("two", "one", "none"):
        (tmp_path / "src" / name).mkdir(parents=True)
    for name in ("two", "one"):
        (tmp_path / "src" / name / "__init__.py").touch()
    assert load(tmp_path) == Settings(("one", "two"))


def test_table_is_read(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(
        '[tool.bookproof]\npackages = ["engine"]\ntorch = "column"\n', encoding="utf-8"
    )
    assert load(tmp_path) == Settings(("engine",), "column")


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("package = []", "'package' is no key of it"),
        ('packages = "engine"', "packages is 'engine'"),
        ("packages = [1]", r"packages is \[1\]"),
        ("torch = 1", "torch is 1"),
        ("torch = ", "cannot be read"),
    ],
)
def test_mistake_is_named(table: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(f"[tool.bookproof]\n{table}\n", encoding="utf-8")
    with pytest.raises(SettingsError, match=message):
        load(tmp_path)
