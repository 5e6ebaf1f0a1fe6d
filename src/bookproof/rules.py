"""The lint's rules in one table: what each looks for, why that cannot stay, and how to mend it.

The lint words its findings from this table, and the page on how the book is proofed is made
from it.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rule:
    """What is looked for, why it cannot stay, and what to do."""

    name: str
    seen: str
    why: str
    mend: str


_GLUE = (
    'compute it in a cell, figure("a_name", value, unit), and write {glue:text}`a_name` here; '
    "a premise or a quoted source is marked {given}`...`"
)

RULES: dict[str, Rule] = {
    rule.name: rule
    for rule in (
        Rule(
            "typed-number",
            "a number with a unit, a percentage or a large count, typed by hand",
            "it goes on standing there when the code gives another",
            _GLUE,
        ),
        Rule(
            "typed-ratio",
            "a ratio typed by hand, in digits or in words",
            "it goes on standing there when the code gives another",
            _GLUE,
        ),
        Rule(
            "bare-figure",
            "a long number or decimal typed by hand",
            "nobody invents such a number: it was computed once, and may be false by now",
            _GLUE,
        ),
        Rule(
            "glue-format",
            "a format inside a glue role",
            "it cuts the text that figure() made, unit and digits alike",
            "give spec= to figure(), and write the key alone; only another chapter's figure takes "
            "a format, and that is exactly :s",
        ),
        Rule(
            "inclusion",
            "an {include} of a file that is no page of the book",
            "its numbers stand on the page, and nothing reads them",
            "write the text here, or move it into a .md page below book/, which is read too",
        ),
        Rule(
            "undefined-key",
            "a glue role whose key no cell of the chapter records",
            "the page would show nothing there",
            "correct the key, or make the figure in a cell of this chapter",
        ),
        Rule(
            "unused-key",
            "a figure that no text shows",
            "it is locked and proofed for nobody",
            "show it with {glue:text}, or use a plain variable in place of figure()",
        ),
        Rule(
            "duplicate-key",
            "a figure made in two cells of one chapter",
            "the text shows the last one, wherever it stands",
            "give each its own name",
        ),
        Rule(
            "no-formula",
            "a number without a formula",
            "the reader who asks where it comes from is not told",
            'say it in words or symbols: figure("a_name", value, unit, formula="batch · 4 B")',
        ),
        Rule(
            "unmarked-claim",
            "a word that compares (more, fewer, larger, faster, fits, exceeds, twice, half, same, "
            "only, grows, and so on) in a sentence that shows a figure",
            "it goes on standing there when the figure says the opposite",
            'let a cell bear it out, claim("a_name", comparison), and mark the words: {claim}`words '
            "<a_name>`; or compute the words themselves and show them with {glue:text}",
        ),
        Rule(
            "claim-form",
            "a claim whose name cannot be told, or that stands twice",
            "which assertion bears out which words would be anyone's guess",
            'write claim("a_name", comparison) once, and {claim}`words <a_name>` in the text',
        ),
        Rule(
            "undefined-claim",
            "words marked with a claim that no cell of the chapter makes",
            "nothing bears the words out",
            "correct the name, or make the claim in a cell of this chapter",
        ),
        Rule(
            "unused-claim",
            "a claim that no text makes use of",
            "it is locked and proofed for nobody",
            "mark the words that it bears out, {claim}`words <a_name>`, or write an assert in its "
            "place",
        ),
        Rule(
            "idle-claim",
            "a claim in code that did not run",
            "the words that it should bear out went unproved",
            "move claim() out of the branch or function, to where the cell always comes",
        ),
        Rule(
            "idle-given",
            "a given mark at words that the lint would let stand",
            "it guards nothing, and teaches that such marks can be ignored",
            "take the mark off",
        ),
        Rule(
            "unknown-name",
            "a name in backticks that no code has: not the packages, not Python, NumPy or PyTorch's "
            "recorded names, not this chapter's cells and listings, no file and no make target",
            "whoever tries it finds nothing; it was renamed, or never was",
            "correct the name; words that are no code stand in quotation marks or in *italics*",
        ),
        Rule(
            "undefined-term",
            "a link to a term that the glossary does not have",
            "the link leads nowhere",
            "correct the term, or explain it in the glossary",
        ),
        Rule(
            "unlinked-term",
            "a term used before the chapter links it to the glossary",
            "who does not know it is left alone with it at the very place where it is new",
            "link it here, {term}`word` or {term}`other words <word>`, and not again further down",
        ),
        Rule(
            "listing",
            "code on the page that is neither executed nor included",
            "it goes on standing there when the code it shows has changed",
            "make it a {code-cell}, or include the object: {literalinclude} with :pyobject:; text "
            "that is no Python names its language (console, text, toml)",
        ),
        Rule(
            "listing-lines",
            "an included listing that is cut or marked by line numbers",
            "one line more above it, and it shows something else",
            "choose by name: :pyobject:, or :start-after: and :end-before:",
        ),
        Rule(
            "listing-gone",
            "an included listing whose file, or whose object in it, does not exist",
            "the page would show nothing, or what is left of it",
            "name the object as it is called now; :pyobject: takes Class.method",
        ),
        Rule(
            "unseen-cell",
            "a cell that runs and that no reader can see",
            "figures and assertions that nobody can look up are to be taken on trust",
            "fold it: hide-input, hide-output or hide-cell",
        ),
        Rule(
            "alt-text",
            "a picture without alternative text",
            "who cannot see it is not told what it shows",
            "say what the picture shows: ![words](file), :alt: words, or in a cell's options "
            "mystnb: {image: {alt: words}}",
        ),
        Rule(
            "front-matter",
            "a chapter with cells whose front matter does not make it a notebook",
            "its cells would not run, and its launch buttons would be missing",
            "open it with file_format: mystnb (or jupytext:) and kernelspec: {name: python3, "
            "display_name: Python 3}",
        ),
        Rule(
            "not-built",
            "a chapter without outputs that match it",
            "its keys and pictures cannot be checked",
            "build the book: make book",
        ),
        Rule(
            "exercise-check",
            "an exercise without a stub and a self-check of it",
            "the learner is not told whether the answer holds, nor why",
            "give it a cell that binds a stub, and one that ends with check_it(stub), where "
            "check_it is made by @self_check",
        ),
        Rule(
            "exercise-stub",
            "an exercise whose check does not say \u201cNot yet\u201d of the untouched stub",
            "who has done nothing is told that it is right, or nothing",
            "leave the stub's body as ..., and let the check end in right(...) or wrong(...)",
        ),
        Rule(
            "exercise-solution",
            "an exercise whose solution its own check has not found right",
            "a solution without the word of its check may be wrong",
            "write {solution-start} with the exercise's label, and end a cell of it with the "
            "verdict of the same check on the solution, which shows \u201cRight\u201d",
        ),
        Rule(
            "exercise-error",
            "a cell of an exercise or of its solution that shows a traceback",
            "a learner reads it as a fault of the course",
            "let the check answer with wrong(...); make it with @self_check, which turns errors into "
            "verdicts",
        ),
        Rule(
            "exercise-leak",
            "an exercise whose cells hold the solution",
            "what can be read is not found out",
            "take these lines out of the exercise, comments included",
        ),
    )
}


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One thing to mend: where it is, which rule it breaks, what was seen, why, and what to do."""

    path: str
    line: int
    rule: str
    message: str

    def __str__(self) -> str:
        """Return the finding as one line that an editor can jump from."""
        return f"{self.path}:{self.line}: {self.rule}: {self.message}"


def told(rule: str, seen: str) -> str:
    """Return a finding's message: what was seen, why it cannot stay, what to do."""
    return f"{seen}; {RULES[rule].why}; {RULES[rule].mend}"
