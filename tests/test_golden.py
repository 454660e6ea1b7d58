"""Every algorithm and model gives the numbers that it gave: to the bit on the same machine."""

from __future__ import annotations

from itertools import islice

import goldens
import pytest


@pytest.mark.parametrize("name", goldens.names())
def test_numbers_stand(name: str) -> None:
    golden = goldens.read(name)
    exact = golden.pop("machine") == goldens.machine()
    found = goldens.run(name)
    assert not list(islice(goldens.differences(golden, found, exact), 5))
