"""What was left out of a dataset, and why: listed, never silent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

SHOWN = 5


@dataclass(frozen=True)
class Exclusion:
    """A file or sample that is not in the store.

    Attributes:
        file: its name as it may be shown (no identifier of a person).
        reason: why, in words that end a sentence ``… is left out: <reason>``; the same words for
            all that share it, since they are counted.
        detail: what is this file's alone, such as the name of its twin.
    """

    file: str
    reason: str
    detail: str = ""

    def record(self) -> dict[str, str]:
        """For ``prepare.json``."""
        found = {"file": self.file, "reason": self.reason}
        return found | ({"detail": self.detail} if self.detail else {})


def describe(excluded: Sequence[Exclusion], listed_in: str) -> str:
    """One line for the screen: how many, the first few, and where all are listed."""
    first = "; ".join(
        f"{one.file}: {one.reason}{f' ({one.detail})' if one.detail else ''}"
        for one in excluded[:SHOWN]
    )
    more = f"; {len(excluded) - SHOWN:,} more" if len(excluded) > SHOWN else ""
    return f"{len(excluded):,} left out ({first}{more}), all listed in {listed_in}"


def by_reason(excluded: Sequence[Exclusion]) -> dict[str, int]:
    """How many were left out for each reason, the most frequent first."""
    return dict(Counter(one.reason for one in excluded).most_common())
