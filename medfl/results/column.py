"""What a column of a table is, and how readers see its numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Column:
    """One column.

    Attributes:
        name: the column's name in the CSV file.
        title: what a reader sees above a table or beside an axis.
        unit: the number's unit. ``%`` is a fraction that readers see in per cent.
        direction: which values are better; empty where neither is.
        files: the files and tables in which it stands.
        kind: ``int`` for counts, ``float`` for measurements, ``str`` for words.
        source: where a record has it, as names joined by points; empty where no record has it.
        short: a shorter title, for the head of a table with many columns.
        digits: how many digits a reader sees after the point; percentages always have one.
        dvc: its key in ``results/metrics.json``; empty where it does not stand there.
        metric: the metric of test samples that it is, by its name in a record; else empty.
        question: which models and samples it is about, ``OWN`` or ``EVERYONE``; empty for what is
            about none, such as traffic.
    """

    name: str
    title: str = ""
    unit: str = ""
    direction: Literal["higher", "lower", ""] = ""
    files: tuple[str, ...] = ()
    kind: type = float
    source: str = ""
    short: str = ""
    digits: int = 3
    dvc: str = ""
    metric: str = ""
    question: str = ""

    @property
    def scale(self) -> float:
        """The factor from the file's number to the number that a reader sees."""
        return 100.0 if self.unit == "%" else 1.0

    def format(self, value: float) -> str:
        """The number as a reader sees it, without its unit."""
        if self.unit == "MB":
            return format_megabytes(value)
        return f"{self.scale * value:.1f}" if self.unit == "%" else f"{value:.{self.digits}f}"


def format_megabytes(value: float) -> str:
    """Megabytes (10⁶ bytes) with about three significant digits and no exponent."""
    if value == 0:
        return "0"
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:.{min(digits, 4)}f}"
