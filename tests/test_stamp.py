"""The stamp is of the sources as they are: see ``medfl/versions.py``."""

from __future__ import annotations

import stamp


def test_sources_are_those_that_the_golden_test_passed_on():
    edited = stamp.edited()
    assert not edited, f"run `make stamp` and commit medfl/stamp.json, because of {edited}"
