"""What a cell of a table says: a mean over seeds, and what went wrong."""

from __future__ import annotations

from dataclasses import dataclass

from medfl.report.statistics import Summary
from medfl.results.column import Column


@dataclass(frozen=True)
class CellState:
    """The seeds of one dataset × partition × arm: their mean of a metric, and what went wrong.

    Attributes:
        summary: of the finished seeds that have a value.
        seeds: how many there are.
        diverged: of how many seeds the run diverged.
        missing: of how many there is none.
        refused: how many updates of clients were not finite, in the finished seeds together.
    """

    summary: Summary | None
    seeds: int
    diverged: int
    missing: int
    refused: int = 0

    @property
    def finished(self) -> int:
        """How many seeds have finished, whether they have a value of the metric or not."""
        return self.seeds - self.diverged - self.missing

    def describe(self, metric: Column) -> str:
        """The cell of a table: ``87.3 ± 0.4``, ``missing``, ``diverged (1 of 3)``, ``–``."""
        parts = []
        if self.summary:
            parts.append(metric.format(self.summary.mean))
            spread = None if self.summary.sd is None else metric.format(self.summary.sd)
            if spread is not None and not self._all_equal(spread, metric):
                parts.append(f"± {spread}")
            if self.summary.n != self.seeds:
                parts.append(f"(n = {self.summary.n} of {self.seeds})")
            if self.refused:
                parts.append(f"({self.refused} refused)")
        if self.diverged:
            parts.append(f"diverged ({self.diverged} of {self.seeds})")
        if not parts:
            parts.append("missing" if self.missing == self.seeds else "–")
        return " ".join(parts)

    def _all_equal(self, spread: str, metric: Column) -> bool:
        """Whether a spread says nothing: all seeds have one value, or one as far as it is shown.

        Traffic and seconds are shown to so many digits as matter.
        """
        assert self.summary is not None
        rounding = 1e-12 * max(1.0, abs(self.summary.mean))
        shows_none = metric.unit in ("MB", "s") and float(spread) == 0
        return (self.summary.sd or 0.0) <= rounding or shows_none
