"""What was left out of a dataset, and why: listed, never silent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

SHOWN = 5


@dataclass(frozen=True)
class Exclusion:
    """A file or sample that is left out, and why.

    Attributes:
        file: which one: its path, as whoever left it out knows it, or the sample's name.
        reason: why, in words that end a sentence ``… is left out: <reason>``; the same words for
            all that share it, since they are counted.
        twin: the file of which it is a copy, or whose place it takes; empty where there is none.
        frame: which one of the file's frames is meant, from 0; 0 where the whole file is.
        public: whether ``file`` and ``twin`` name nobody, so that outputs may show them.
    """

    file: str
    reason: str
    twin: str = ""
    frame: int = 0
    public: bool = False

    def renamed(self, named: Callable[[str], str]) -> Exclusion:
        """The same under the names by which outputs call the files."""
        if self.public:
            return self
        twin = named(self.twin) if self.twin else ""
        return Exclusion(named(self.file), self.reason, twin, self.frame, public=True)

    def record(self) -> dict[str, str]:
        """For ``prepare.json``."""
        found = {"file": self.file, "reason": self.reason}
        return found | ({"detail": f"of {self.twin}"} if self.twin else {})

    @classmethod
    def of_record(cls, record: Mapping[str, str]) -> Exclusion:
        """From an entry of ``prepare.json``."""
        twin = record.get("detail", "").removeprefix("of ")
        return cls(record["file"], record["reason"], twin, public=True)


class LeftOut(Exception):  # noqa: N818 - no error, a way out
    """The sample that is being read is left out; the message is the reason.

    Whoever reads samples one after another makes an ``Exclusion`` of it.
    """


def in_one_line(excluded: Sequence[Exclusion], listed_in: str) -> str:
    """One line for the screen: how many, the first few, and where all are listed."""
    first = "; ".join(
        f"{one.file}: {one.reason}{f' (of {one.twin})' if one.twin else ''}"
        for one in excluded[:SHOWN]
    )
    more = f"; {len(excluded) - SHOWN:,} more" if len(excluded) > SHOWN else ""
    return f"{len(excluded):,} left out ({first}{more}), all listed in {listed_in}"


def by_reason(excluded: Sequence[Exclusion]) -> dict[str, int]:
    """How many were left out for each reason, the most frequent first."""
    return dict(Counter(one.reason for one in excluded).most_common())
