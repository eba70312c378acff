"""How a test says that something is refused."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from store.refusal import Refusal


@contextmanager
def refused(code: str, **details: Any) -> Iterator[None]:
    """The block raises a Refusal with this code and, where some are given, exactly these details."""
    with pytest.raises(Refusal) as caught:
        yield
    assert caught.value.code == code
    if details:
        assert caught.value.details == details
