"""Which way to train clients is to be the default, in words, from what was measured."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import geometric_mean

from benchmarks.timing import Result

FASTER = 0.97  # a way must take less than this of the first one's time to be worth it


@dataclass(frozen=True)
class Way:
    """One way on one network, beside clients one after another.

    Attributes:
        shape: the network, size and precision, in words.
        way: its name.
        median: its time ÷ that of clients one after another.
        spread: from where to where.
        same_bits: whether all clients' models came out with the same bits.
        repeats: whether clients one after another gave the same bits twice.
        difference: the largest of any entry.
    """

    shape: str
    way: str
    median: float
    spread: tuple[float, float]
    same_bits: bool
    repeats: bool
    difference: float

    @property
    def wins(self) -> bool:
        """Whether it is faster beyond its spread."""
        return self.median < FASTER and self.spread[1] < 1

    @property
    def loses(self) -> bool:
        return self.median > 1 / FASTER and self.spread[0] > 1

    def words(self) -> str:
        bits = (
            "to the same bits"
            if self.same_bits
            else f"with other bits (by up to {self.difference:.1e})"
        )
        low, high = self.spread
        return f"{self.way} {self.median:.2f} ({low:.2f} to {high:.2f}) {bits}"


def measured_ways(results: Iterable[Result]) -> list[Way]:
    """The ways among a part's results."""
    return [
        Way(
            shape=str(result.facts["shape"]),
            way=str(result.facts["way"]),
            median=result.median,
            spread=result.spread,
            same_bits=bool(result.facts["same_bits"]),
            repeats=bool(result.facts["repeats"]),
            difference=float(result.facts["difference"]),
        )
        for result in results
        if result.ratios and "way" in result.facts
    ]


def conclude(results: Sequence[Result]) -> list[str]:
    """Sentences: each network's ways, then the default."""
    ways = measured_ways(results)
    if not ways:
        return ["No way to train clients was measured: clients stay one after another."]
    shapes = list(dict.fromkeys(way.shape for way in ways))
    lines = []
    for shape in shapes:
        found = sorted((way for way in ways if way.shape == shape), key=lambda way: way.median)
        lines.append(
            f"{shape}, time ÷ clients one after another: "
            + "; ".join(way.words() for way in found)
            + "."
        )
        if not found[0].repeats:
            lines.append(f"{shape}: clients one after another do not repeat their own bits.")
    return [*lines, *_default(ways, shapes)]


def _default(ways: Sequence[Way], shapes: Sequence[str]) -> list[str]:
    """The verdict: what may be the default, and why the faster ones may not."""
    names = list(dict.fromkeys(way.way for way in ways))
    speed, reasons = {}, {}
    for name in names:
        of_it = [way for way in ways if way.way == name]
        speed[name] = geometric_mean([way.median for way in of_it])
        reasons[name] = _against(of_it, shapes)
    may = [name for name in names if not reasons[name]]
    best = min(may, key=speed.__getitem__, default=None)
    verdict = (
        "Verdict: clients one after another stay the default."
        if best is None
        else f"Verdict: {best} is to be the default: it takes {speed[best]:.2f} of the time "
        f"(mean over {len(shapes)} networks), to the same bits everywhere."
    )
    limit = 1.0 if best is None else speed[best]
    off = [
        f"{name} ({speed[name]:.2f}) stays off: {reasons[name]}."
        for name in sorted(names, key=speed.__getitem__)
        if reasons[name] and speed[name] < limit
    ]
    return [verdict, *off]


def _against(ways: Sequence[Way], shapes: Sequence[str]) -> str:
    """Why a way may not be the default; empty where it may."""
    missing = [shape for shape in shapes if shape not in {way.shape for way in ways}]
    other = [way.shape for way in ways if not way.same_bits]
    slower = [way.shape for way in ways if way.loses]
    if missing:
        return f"it was not measured on {', '.join(missing)}"
    if other:
        return f"it gives other bits on {', '.join(other)}"
    if slower:
        return f"it is slower on {', '.join(slower)}"
    if not any(way.wins for way in ways):
        return "it is faster nowhere beyond its spread"
    return ""
