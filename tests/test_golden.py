"""Everything gives the numbers that it gave: to the bit on the same machine."""

from __future__ import annotations

from itertools import islice

import goldens
import pytest

NAMES = [
    pytest.param(name, marks=pytest.mark.slow) if name in goldens.SLOW else name
    for name in goldens.names()
]


@pytest.mark.parametrize("name", NAMES)
def test_numbers_stand(name: str) -> None:
    golden = goldens.read(name)
    exact = golden.pop("machine") == goldens.machine()
    found = goldens.run(name)
    assert not list(islice(goldens.differences(golden, found, exact), 5))
