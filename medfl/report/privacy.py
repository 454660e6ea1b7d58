"""What protects the arms of a grid: ε with what one ε protects, and what the server sees."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from medfl.report.grid_results import GridResults
from medfl.report.remembered import remembered
from medfl.results.runs import Run

# Links that hide updates from the server, how readers call them, and what it sees under them.
HIDING = {"secure_aggregation": "masks", "ckks": "encryption"}
SEEN = {"masks": "the sum alone", "encryption": "ciphertexts, and what is not encrypted"}
NOTHING = "each update"  # what the server sees where nothing hides it

# What stands below a table with an ε.
NOTE = (
    "ε: the budget that was spent, the largest of the clients and runs, with what one ε protects; "
    "∞: clipped and sampled alike, without noise. An ε of one unit cannot be compared with that of "
    "another."
)


@dataclass(frozen=True)
class Protection:
    """How an arm is protected.

    Attributes:
        unit: what one ε protects, such as ``image``; empty where nothing is promised.
        epsilon: the largest ε of its runs, infinite without noise; None where nothing is promised.
        delta: the δ with which it holds.
        hidden: what hides single updates in their sum, such as ``masks``.
    """

    unit: str = ""
    epsilon: float | None = None
    delta: float | None = None
    hidden: tuple[str, ...] = ()

    @property
    def budget(self) -> str:
        """``8.00 (image)``, ``∞ (image)``; a dash where nothing is promised."""
        return "–" if self.epsilon is None else f"{epsilon_words(self.epsilon)} ({self.unit})"

    @property
    def seen(self) -> str:
        """What the server sees of a round: each update, the sum alone, or ciphertexts."""
        if not self.hidden:
            return NOTHING
        return f"{SEEN[self.hidden[-1]]} ({', '.join(self.hidden)})"

    @property
    def words(self) -> str:
        """All of it in one line."""
        if self.epsilon is None:
            return f"no ε; the server sees {self.seen}"
        promise = f"ε = {epsilon_words(self.epsilon)} of one {self.unit}"
        at = f" at δ = {self.delta:g}" if self.delta is not None else ""
        return f"{promise}{at}; the server sees {self.seen}"


def epsilon_words(epsilon: float) -> str:
    """An ε as readers see it: ``8.00``, ``∞``; rounded up, because a promise must hold."""
    return "∞" if math.isinf(epsilon) else f"{math.ceil(100 * epsilon - 1e-9) / 100:.2f}"


@remembered
def protection(
    results: GridResults, dataset: str, arm: str, partition: str | None = None
) -> Protection:
    """How an arm is protected on a dataset, by its completed runs in one partition or in all."""
    parts = results.partitions_of(dataset) if partition is None else [partition]
    runs = [run for part in parts for run in results.at(dataset, part, arm) if run.completed]
    return _of_runs(runs)


def _of_runs(runs: Sequence[Run]) -> Protection:
    records = [run.record for run in runs if run.record]
    promised = [record.privacy for record in records if record.privacy.unit]
    hidden = _hidden(name for record in records for name in record.chain)
    if not promised:
        return Protection(hidden=hidden)
    # No number stands for an infinite ε, as JSON has none.
    spent = [math.inf if one.epsilon is None else one.epsilon for one in promised]
    deltas = [one.delta for one in promised if one.delta is not None]
    units = dict.fromkeys(one.unit for one in promised if one.unit)
    return Protection(" or ".join(units), max(spent), max(deltas, default=None), hidden)


def _hidden(links: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(HIDING[name] for name in links if name in HIDING))


def promises(results: GridResults, dataset: str) -> bool:
    """Whether any arm of a dataset has an ε, be it infinite."""
    return any(protection(results, dataset, arm).unit for arm in results.arms)


def protects(results: GridResults, dataset: str) -> bool:
    """Whether any arm of a dataset has an ε, or hides single updates."""
    found = (protection(results, dataset, arm) for arm in results.arms)
    return any(one.unit or one.hidden for one in found)
