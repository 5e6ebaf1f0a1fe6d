"""Names in backticks: each is known to the code, or the lint says which part is not."""

from pathlib import Path

import pytest

from bookproof.lint import Finding, Known, lint_text
from bookproof.settings import SettingsError
from bookproof.vocabulary import Vocabulary

ROOT = Path(__file__).parents[1]
HEAD = """\
---
file_format: mystnb
kernelspec: {name: python3, display_name: Python 3}
---
# T

```{code-cell} python3
import numpy as np
import bytegrad as bg
from bytegrad import Value, memory, nn

x = bg.ones(2, requires_grad=True)
y = helper(x, width=3) + table["a key"]
def helper(value, depth=1, **others):
    return value.grad
class Box:
    contents = 1
```

$z_k + a + b$

"""


@pytest.fixture(scope="module")
def vocabulary() -> Vocabulary:
    return Vocabulary(ROOT)


def found(text: str, vocabulary: Vocabulary, shown: str = "") -> list[Finding]:
    known = Known(vocabulary=vocabulary, shown=shown)
    return lint_text(f"{HEAD}{text}\n", path="book/x.md", known=known)


UNKNOWN = [
    ("x.backwards()", "backwards", "backward"),
    ("(3 * x + 1).backwards()", "backwards", "backward"),
    ("bg.nograd", "bg.nograd", "bg.no_grad"),
    ("MatMulBackward", "MatMulBackward", "MatmulBackward"),
    ("np.matmull", "np.matmull", "np.matmul"),
    ("np.linalg.nrm", "np.linalg.nrm", "np.linalg.norm"),
    ("Value.backwards", "Value.backwards", "Value.backward"),
    ("memory.legder()", "memory.legder", "memory.ledger"),
    ("nn.Linnear(3, 2)", "nn.Linnear", "nn.Linear"),
    ("math.sqroot(x)", "math.sqroot", "math.sqrt"),
    ("helpr(x)", "helpr", "helper"),
    ("helper(x, widdth=3)", "widdth", "width"),
    ("x @ weigth", "weigth", "weight"),
    ("q", "q", ""),
    ("requires_grads=True", "requires_grads", "requires_grad"),
    ('bg.ones(2, dtype="floats32")', "floats32", "float32"),
    ("bg.ones(2, requires_gra", "requires_gra", "requires_grad"),
    ("book/coarse.toml", "book/coarse.toml", ""),
    ("tools/oracles.py", "tools/oracles.py", ""),
    ("requirement.txt", "requirement.txt", ""),
    ("book/figure.lock", "book/figure.lock", ""),
    ("src/bytegrads/", "src/bytegrads/", ""),
    ("make books", "make books", "make book"),
    ("make lock nbvals", "make nbvals", "make nbval"),
    ("[hardware] cards", "cards", "card"),
    ("hide-inputs", "hide-inputs", "hide-input"),
    ("with bg.nograd():", "bg.nograd", "bg.no_grad"),
    ("@bg.nograd()", "bg.nograd", "bg.no_grad"),
    ("import bytegrads", "bytegrads", ""),
    ("from bytegrad import Valeu", "bytegrad.Valeu", ""),
]


@pytest.mark.parametrize(("code", "part", "near"), UNKNOWN)
def test_unknown_name_is_found(code: str, part: str, near: str, vocabulary: Vocabulary) -> None:
    [finding] = found(f"Words,\nthen `{code}`.", vocabulary)
    assert (finding.line, finding.rule) == (HEAD.count("\n") + 2, "unknown-name")
    whole = "" if part == code else f", in `{code}`,"
    said = f"`{part}`{whole} is known to nobody"
    assert finding.message.startswith(
        said + (f" (the nearest known name is `{near}`)" if near else "")
    )


KNOWN = """
x.grad ¦ y ¦ (3 * x + 1).backward() ¦ a @ b + z[k] ¦ x += 1 ¦ bg.no_grad() ¦ np.float32
float64 ¦ np.linalg.norm ¦ Value ¦ Value.backward ¦ Value.grad ¦ memory.ledger()
nn.Linear(3, 2).weight ¦ MatmulBackward ¦ backward ¦ helper(x, depth=2) ¦ width ¦ value
Box.contents ¦ contents ¦ a key ¦ table ¦ others ¦ requires_grad=True ¦ dtype="float32" ¦ len(x)
sorted ¦ assert ¦ for ¦ match ¦ None ¦ 'text' ¦ 12 ¦ 1e-6 ¦ () ¦ # (B, n) ¦ [1, 2] ¦ {"a": 1}
lambda q: q + 1 ¦ total = total + y ¦ [q for q in x] ¦ math.sqrt ¦ tracemalloc ¦ os.path.join
"".join ¦ x.T ¦ x.items() ¦ ... ¦ 1 + … ¦ @ ¦ += ¦ ** ¦ -> ¦ KiB ¦ % ¦ µs ¦ kB
book/course.toml ¦ course.toml ¦ tools/book.py ¦ src/bytegrad/ ¦ requirements.txt ¦ make book
make book PORT=1 ¦ git log --oneline ¦ pip install x ¦ pytest -q ¦ jupyter lab
.venv/bin/python tools/book.py ¦ [hardware] ¦ [hardware] card ¦ card_unit ¦ hide-input
raises-exception ¦ {given} ¦ {code-cell} python3 ¦ :pyobject: ¦ :alt: words ¦ with bg.no_grad():
@bg.no_grad() ¦ import bytegrad as bg ¦ from bytegrad import Value ¦ del x ¦ return y ¦ if x
""".replace("\n", " ¦ ")


@pytest.mark.parametrize("code", [code.strip() for code in KNOWN.split(" ¦ ") if code.strip()])
def test_known_name_is_left_alone(code: str, vocabulary: Vocabulary) -> None:
    assert found(f"Words `{code}`.", vocabulary) == []


def test_role_and_directive_spelled_out_are_no_names(vocabulary: Vocabulary) -> None:
    assert found("Write `` {glue:text}`nobody` `` here.", vocabulary) == []


def test_names_stand_in_tables_captions_and_answers(vocabulary: Vocabulary) -> None:
    for text in (
        "| a |\n|---|\n| `nope` |",
        "```{figure} x.png\n:alt: words\n\nThe `nope`.\n```",
        "```{dropdown} Answer\nThe `nope`.\n```",
        "Term\n: The `nope`.",
        "## The `nope`",
    ):
        assert [finding.rule for finding in found(text, vocabulary)] == ["unknown-name"]


def test_what_a_cell_printed_is_known(vocabulary: Vocabulary) -> None:
    assert found("It says `counted, above`.", vocabulary, "1 B  counted, above") == []
    assert found("It is `counted`.", vocabulary, "1 B  counted, above") == []
    [finding] = found("It says `counted, abofe`.", vocabulary, "1 B  counted, above")
    assert finding.rule == "unknown-name"


def test_included_listing_lends_its_names(vocabulary: Vocabulary) -> None:
    listing = "```{literalinclude} ../src/bytegrad/value.py\n:pyobject: topological_order\n```\n\n"
    assert found(f"{listing}The `children_done` of a `node`.", vocabulary) == []
    assert [f.rule for f in found("A `children_done`.", vocabulary)] == ["unknown-name"]


def make(root: Path, **files: str) -> Vocabulary:
    for name, text in files.items():
        path = root / name.replace("__", "/").replace("_DOT_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return Vocabulary(root)


def test_package_below_src_need_not_be_installed(tmp_path: Path) -> None:
    package = tmp_path / "src" / "packed_for_this_test"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("def wrap(): ...\n", encoding="utf-8")
    pack = Vocabulary(tmp_path)
    known = Known(vocabulary=pack)
    assert lint_text("Call `wrap`.", path="book/x.md", known=known) == []
    [finding] = lint_text("Call `wraps`.", path="book/x.md", known=known)
    assert "`wrap`" in finding.message


def test_package_that_cannot_be_imported_is_told(tmp_path: Path) -> None:
    told = make(tmp_path, pyproject_DOT_toml='[tool.bookproof]\npackages = ["not_there"]\n')
    with pytest.raises(SettingsError, match=r"name what is in not_there.*install it"):
        lint_text("Call `wrap`.", path="book/x.md", known=Known(vocabulary=told))


def test_pytorch_is_known_by_its_record(tmp_path: Path) -> None:
    record = '{"torch": "2", "names": ["torch.Tensor.backward", "torch.amax_of"]}'
    recorded = make(tmp_path, book__torch__names_DOT_json=record)

    def rules(text: str) -> list[str]:
        return [
            f.message.split(" is known")[0]
            for f in lint_text(text, path="book/x.md", known=Known(vocabulary=recorded))
        ]

    assert rules("It is `torch.Tensor.backward`, in `torch.Tensor`.") == []
    assert rules("It is `torch.Tensor.backwards`.") == ["`torch.Tensor.backwards`"]
    assert rules("PyTorch has `amax_of`.") == []
    assert rules("The engine has `amax_of`.") == ["`amax_of`"]
    assert rules("PyTorch has `amaxes_of`.") == ["`amaxes_of`"]


def test_without_a_record_pytorch_is_not_checked(tmp_path: Path) -> None:
    known = Known(vocabulary=Vocabulary(tmp_path))
    assert lint_text("It is `torch.nobody.knows`.", path="book/x.md", known=known) == []


def test_without_a_makefile_targets_are_not_checked(tmp_path: Path) -> None:
    known = Known(vocabulary=Vocabulary(tmp_path))
    assert lint_text("Run `make it`.", path="book/x.md", known=known) == []
