"""A results version is raised when numbers change, and not without."""

from __future__ import annotations

import golden_history
import goldens


def test_versions_were_raised_exactly_when_numbers_changed() -> None:
    shas = {name: golden_history.sha(goldens.read(name)) for name in goldens.names()}
    history, versions = golden_history.read(), golden_history.current()
    assert not list(golden_history.complaints(history, versions, shas))
