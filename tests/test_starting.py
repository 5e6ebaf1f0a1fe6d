"""A kernel that loses its port to another program is started again; any other fault is told at once."""

import pytest

from bookproof.starting import patiently

DIED = RuntimeError("Kernel died before replying to kernel_info")


class Kernel:
    """Dies as often as it is told to."""

    def __init__(self, *faults: Exception) -> None:
        self.faults = list(faults)

    def __call__(self) -> str:
        if self.faults:
            raise self.faults.pop(0)
        return "ready"


@pytest.mark.parametrize("deaths", [0, 1, 2])
def test_a_kernel_that_dies_at_once_is_started_again(deaths: int) -> None:
    assert patiently(Kernel(*[DIED] * deaths)) == "ready"


def test_three_deaths_are_no_accident() -> None:
    kernel = Kernel(*[DIED] * 3)
    with pytest.raises(RuntimeError, match="Kernel died"):
        patiently(kernel)
    assert kernel.faults == []


@pytest.mark.parametrize(
    "fault", [RuntimeError("no such kernel"), ValueError("Kernel died before replying")]
)
def test_any_other_fault_is_told_at_once(fault: Exception) -> None:
    kernel = Kernel(fault, DIED)
    with pytest.raises(type(fault), match=str(fault)):
        patiently(kernel)
    assert kernel.faults == [DIED]
