"""Self-checks: whatever a learner hands in, the answer is a verdict with a reason."""

from typing import Any

import pytest

from bookproof import Verdict, right, self_check, wrong


@self_check
def check_double(double: Any) -> Verdict:
    """Check a function that doubles."""
    if double(3) == 6:
        return right("every input doubles.")
    return wrong(f"double(3) gave {double(3)!r}.")


def blank(x: int) -> int: ...


def documented(x: int) -> Any:
    """Return twice x."""


def dotted(x: int) -> Any:
    return ...


def test_verdict_prints_its_reason_and_is_true_or_false() -> None:
    assert repr(right("it holds.")) == "Right: it holds."
    assert repr(wrong("it does not.")) == "Not yet: it does not."
    assert right("a")
    assert not wrong("a")


def test_answer_is_judged() -> None:
    assert check_double(lambda x: 2 * x)
    assert repr(check_double(lambda x: 3 * x)) == "Not yet: double(3) gave 9."


@pytest.mark.parametrize("attempt", [None, ..., blank, documented, dotted, lambda x: None])
def test_blank_attempt_gets_a_kind_word(attempt: Any) -> None:
    assert repr(check_double(attempt)).startswith("Not yet: there is no answer here yet.")
    assert not check_double(double=attempt)


def test_function_that_answers_a_constant_is_no_blank() -> None:
    assert repr(check_double(lambda x: 5)) == "Not yet: double(3) gave 5."


def test_exception_in_the_attempt_is_a_verdict() -> None:
    verdict = check_double(lambda x: x / 0)
    assert repr(verdict) == "Not yet: your code raised ZeroDivisionError: division by zero"


def test_attempt_of_the_wrong_kind_is_a_verdict() -> None:
    verdict = check_double(3)
    assert repr(verdict).startswith("Not yet: your answer could not be checked, which raised Type")


def test_interrupt_passes() -> None:
    def stop(x: int) -> int:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        check_double(stop)


def test_check_that_forgets_its_verdict_is_the_authors_fault() -> None:
    @self_check
    def careless(answer: int) -> Any:
        return answer == 1

    with pytest.raises(TypeError, match="the check careless returned True; a check answers with"):
        careless(1)


def test_check_keeps_its_name_and_words() -> None:
    assert check_double.__name__ == "check_double"
    assert check_double.__doc__ == "Check a function that doubles."
