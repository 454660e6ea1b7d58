"""Compares a bench with the last one: what got slower by more than it spreads, in words."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from benchmarks.results_file import Figure, Machine, Record, read_record
from medfl.errors import MedflError

# A change counts from this factor on; one pair says nothing of the spread and takes a larger one.
LEAST, LEAST_OF_ONE = 1.03, 1.10


@dataclass(frozen=True)
class Earlier:
    """A figure of an earlier bench: the file, and whether its machine is like this one."""

    figure: Figure
    path: Path
    alike: bool


@dataclass(frozen=True)
class Change:
    """A figure beside an earlier one.

    Attributes:
        now: what was measured.
        then: the earlier figure.
        factor: how many times as slow (or as large) it is as then.
        kind: ``slower`` and ``faster`` are beyond the spread of both, ``same`` is not; ``void``
            where others kept the machine busy while one of both was measured.
    """

    now: Figure
    then: Earlier
    factor: float
    kind: Literal["slower", "faster", "same", "void"]

    def words(self) -> str:
        """One line that a person reads."""
        unit = f" {self.now.unit}" if self.now.unit else ""
        paired = ""
        if self.now.in_seconds and self.kind != "void":
            paired = f"; {(self.factor - 1) * 100:+.1f} % beside the plain loop"
        where = self.then.path.name + ("" if self.then.alike else ", another machine")
        return (
            f"{self.now.name}: {shown(self.now)}{unit}, was {shown(self.then.figure)} "
            f"({where}){paired}"
        )


def shown(figure: Figure) -> str:
    """The median and the spread."""
    low, high = figure.spread
    return f"{figure.median:.3g} ({low:.3g} to {high:.3g}, {count(len(figure.ratios), 'pair')})"


def count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"


def compare_figures(now: Figure, then: Earlier) -> Change:
    """Whether a figure changed by more than it spreads.

    It did where the spreads (quartiles; of fewer than four pairs all of them) do not touch, and the
    medians differ by 3 %, or by 10 % where one of both is a single pair. Seconds are taken beside
    the plain loop that ran with them, so a machine that was slower as a whole counts for nothing.
    """
    if now.busy or then.figure.busy:
        return Change(now, then, 1.0, "void")
    if now.median <= 0 or then.figure.median <= 0:  # a difference, smaller than its noise
        return Change(now, then, 1.0, "same")
    scales = [_scale(now), _scale(then.figure)]
    low, high = (edge * scales[0] for edge in now.spread)
    old_low, old_high = (edge * scales[1] for edge in then.figure.spread)
    factor = now.median * scales[0] / (then.figure.median * scales[1])
    few = min(len(now.ratios), len(then.figure.ratios)) == 1
    least = LEAST_OF_ONE if few else LEAST
    more = low > old_high and factor >= least
    less = high < old_low and factor <= 1 / least
    if now.better == "more":
        more, less, factor = less, more, 1 / factor
    return Change(now, then, factor, "slower" if more else "faster" if less else "same")


def _scale(figure: Figure) -> float:
    """What makes seconds of two days alike: they are counted in plain loops."""
    return 1 / statistics.mean(figure.plain) if figure.in_seconds and figure.plain else 1.0


def earlier_records(
    folder: Path, but: Path, warn: Callable[[str], None]
) -> list[tuple[Path, Record]]:
    """All files of a folder, the newest first; a broken one is told and left out."""
    found = []
    for path in sorted(folder.glob("*.json")):
        if path.resolve() != but.resolve():
            try:
                found.append((path, read_record(path)))
            except MedflError as error:
                warn(str(error))
    return sorted(found, key=lambda pair: pair[1].started, reverse=True)


def find_earlier(
    now: Figure, machine: Machine, records: Iterable[tuple[Path, Record]]
) -> Earlier | None:
    """The last measurement of a figure, of a machine like this one if there is any.

    Seconds of another machine are no measure.
    """
    other = None
    for path, record in records:
        for _, figure in record.figures():
            if (figure.name, figure.unit) == (now.name, now.unit):
                if record.machine.alike(machine):
                    return Earlier(figure, path, True)
                other = other or Earlier(figure, path, False)
    return None if now.in_seconds or now.better == "more" else other


@dataclass(frozen=True)
class Comparison:
    """All figures of a bench beside the last ones.

    Attributes:
        changes: of the figures that were measured before.
        new: figures without an earlier one.
        missing: figures of the last bench's same parts that were not measured now.
    """

    changes: tuple[Change, ...]
    new: tuple[str, ...]
    missing: tuple[str, ...]

    def of(self, kind: str) -> list[Change]:
        """Changes of one kind, the largest first."""
        found = [change for change in self.changes if change.kind == kind]
        return sorted(found, key=lambda change: abs(change.factor - 1), reverse=True)

    def lines(self) -> list[str]:
        """What a person reads below the table."""
        if not self.changes:
            return ["Nothing to compare with: no earlier results file has these figures."]
        files = sorted({change.then.path.name for change in self.changes})
        found = [f"Compared with {', '.join(files)}:"]
        for kind in ("slower", "faster"):
            found += [f"  {kind}: {change.words()}" for change in self.of(kind)]
        slower = len(self.of("slower"))
        found.append(
            f"  {count(slower, 'figure')} slower, {len(self.of('faster'))} faster, "
            f"{len(self.of('same'))} within their spread, {len(self.new)} new"
        )
        found += [
            f"  not judged, as others kept the machine busy: {change.words()}"
            for change in self.of("void")
        ]
        found += [f"  not measured now: {name}" for name in self.missing]
        return found


def compare_records(now: Record, records: Sequence[tuple[Path, Record]]) -> Comparison:
    """A bench beside those before it, the newest first."""
    changes, new = [], []
    for _, figure in now.figures():
        then = find_earlier(figure, now.machine, records)
        if then is None:
            new.append(figure.name)
        else:
            changes.append(compare_figures(figure, then))
    measured = {figure.name for _, figure in now.figures()}
    last = next((r for _, r in records if r.machine.alike(now.machine)), None)
    before = [
        figure.name
        for name, part in (last.parts.items() if last else ())
        if name in now.parts
        for figure in part.figures
        if figure.ratios
    ]
    return Comparison(
        tuple(changes), tuple(new), tuple(name for name in before if name not in measured)
    )
