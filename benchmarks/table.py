"""The table that a bench prints, a line a figure."""

from __future__ import annotations

from benchmarks.results_file import Figure

WIDTH = 72
HEAD = f"{'':{WIDTH}}{'median':>9}{'min':>9}{'max':>9}{'pairs':>6}  target"


def line(figure: Figure) -> str:
    """One row."""
    if not figure.ratios:
        return f"{figure.name:{WIDTH}}skipped: {figure.note}"
    numbers = (figure.median, min(figure.ratios), max(figure.ratios))
    cells = "".join(f"{number:>9.3f}" if number < 1e4 else f"{number:>9.0f}" for number in numbers)
    target = "" if figure.target is None else f"≤ {figure.target:g} {figure.verdict}"
    busy = "others kept the machine busy" * figure.busy
    words = "  ".join(word for word in (figure.unit, target, figure.note, busy) if word)
    return f"{figure.name:{WIDTH}}{cells}{len(figure.ratios):>6}  {words}"
