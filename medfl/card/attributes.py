"""Measure further columns of a store (age, sex, view …): numbers or words, and what is missing."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from math import ceil

import numpy as np

MISSING = frozenset(("", "nan", "na", "n/a", "none", "null", "unknown", "unk", "?", "-"))
"""What counts as a missing value, in small letters."""
TOP = 20  # so many words are listed at most
NUMBERS = 0.95  # share of cells that must be numbers, or the column is one of words
FEW = 10  # up to so many distinct numbers are counted one by one, as words are
BINS = 20
FINE = 1e6  # a range of more of the smallest steps is binned as if every value could occur


@dataclass(frozen=True)
class Attribute:
    """One column.

    Attributes:
        name: name of the column.
        kind: ``number``, ``word``, or ``text`` where nearly every image has its own, which is not
            shown, since it may identify somebody.
        present: how many images state it.
        missing: how many do not.
        distinct: how many different values there are.
        values: the most frequent words with their counts; empty for numbers and texts.
        quantiles: minimum, lower quartile, median, upper quartile, maximum of numbers.
        edges: the ends of the histogram's bins, one more than counts.
        histogram: how many images are in each bin.
        odd: how many cells of a column of numbers are no number.
    """

    name: str
    kind: str
    present: int
    missing: int
    distinct: int
    values: dict[str, int]
    quantiles: list[float]
    edges: list[float]
    histogram: list[int]
    odd: int


def measure_attribute(name: str, cells: np.ndarray) -> Attribute:
    """Measure one column of (N,) strings."""
    texts = [text for cell in cells.tolist() if (text := cell.strip()).lower() not in MISSING]
    counts = Counter(texts)
    numbers = np.array([value for text in texts if (value := _number(text)) is not None])
    values: dict[str, int] = {}
    quantiles: list[float] = []
    edges: list[float] = []
    histogram: list[int] = []
    odd = 0
    if len(counts) > FEW and len(numbers) >= NUMBERS * len(texts):
        kind, odd = "number", len(texts) - len(numbers)
        quantiles = [float(one) for one in np.percentile(numbers, (0, 25, 50, 75, 100))]
        bars, ends = np.histogram(numbers, _edges(numbers))
        edges, histogram = ends.tolist(), bars.tolist()
    elif len(counts) > TOP and len(counts) > len(texts) / 2:
        kind = "text"
    else:
        kind, values = "word", dict(counts.most_common(TOP))
    return Attribute(
        name,
        kind,
        len(texts),
        len(cells) - len(texts),
        len(counts),
        values,
        quantiles,
        edges,
        histogram,
        odd,
    )


def _edges(numbers: np.ndarray) -> np.ndarray:
    """Give the ends of at most ``BINS`` bins, each as wide as a whole number of the values' steps.

    Else whole years, or ages by five, fall one or two in a bin, or none, and the histogram shows
    gaps that are not in the data.
    """
    distinct = np.unique(numbers)
    step = float(np.diff(distinct).min(initial=np.inf))
    span = float(distinct[-1] - distinct[0])
    if not 0 < span < FINE * step:
        return np.histogram_bin_edges(numbers, BINS)
    steps = ceil(span / step - 1e-9) + 1  # the first and the last value included
    together = ceil(steps / BINS)
    ends = np.arange(ceil(steps / together) + 1) * together - 0.5
    return float(distinct[0]) + step * ends


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if np.isfinite(value) else None
