"""Everything gives the numbers that it gave: to the bit on the same machine."""

from __future__ import annotations

from itertools import islice

import golden_history
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


def test_versions_were_raised_exactly_when_numbers_changed() -> None:
    shas = {name: golden_history.sha(goldens.read(name)) for name in goldens.names()}
    history, versions = golden_history.read(), golden_history.current()
    assert not list(golden_history.complaints(history, versions, shas))
