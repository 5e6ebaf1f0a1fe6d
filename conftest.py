"""What every example in a docstring may use without importing it."""

from typing import Any

import pytest


@pytest.fixture(autouse=True, scope="session")
def example_names(doctest_namespace: dict[str, Any]) -> None:
    """Hand `Tensor` to the examples: the rooms that hold the parts of its class cannot import it."""
    from bytegrad import Tensor

    doctest_namespace["Tensor"] = Tensor
