"""What every example in a docstring may use without importing it, and which files hold no examples."""

from typing import Any

import pytest

# Snippets of PyTorch: tools/oracle runs them, and nobody needs PyTorch to look for examples.
collect_ignore = ["book/torch"]


@pytest.fixture(autouse=True, scope="session")
def example_names(doctest_namespace: dict[str, Any]) -> None:
    """Hand `Tensor` to the examples: the rooms that hold the parts of its class cannot import it."""
    from bytegrad import Tensor

    doctest_namespace["Tensor"] = Tensor
