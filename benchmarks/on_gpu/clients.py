"""Times the ways to train a round's clients, each beside clients one after another."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from functools import partial

import torch
from torch import Tensor

from benchmarks.on_gpu.budget import Budget, pairs_within
from benchmarks.on_gpu.measuring import Peak, Settings, attempt, timed
from benchmarks.on_gpu.ways import FIRST, WAYS, Way
from benchmarks.on_gpu.work import Shape, Work, make_work
from benchmarks.timing import Result


def run(settings: Settings, shape: Shape, budget: Budget) -> Iterator[Result]:
    """Every way on one network."""
    yield from attempt(
        f"{settings.place}: clients, {shape.words}", lambda: _all_ways(settings, shape, budget)
    )


def _all_ways(settings: Settings, shape: Shape, budget: Budget) -> Iterator[Result]:
    budget.check()
    torch.backends.cudnn.deterministic = True  # as in a run, whose bits repeat
    work = make_work(shape, settings.device)
    peak = Peak(settings.device)
    first = WAYS[FIRST](work)
    train = partial(timed, first.train, settings.device)
    peak.during(train)
    reference = first.vectors.clone()
    costs = [peak.during(train) for _ in range(settings.pairs)]
    repeats = torch.equal(reference, first.vectors)
    yield Result(
        f"{settings.place}: clients {FIRST}, {shape.words}",
        [shape.images / cost.wall for cost in costs],
        unit="images/s",
        note=f"{peak.words()}; bits {'repeat' if repeats else 'do not repeat'}".lstrip("; "),
        better="more",
    )
    for name in WAYS:
        if name != FIRST:
            yield from attempt(
                f"{settings.place}: {name} ÷ {FIRST}, {shape.words}",
                partial(_one_way, settings, work, name, first, reference, repeats, budget),
            )


def _one_way(
    settings: Settings,
    work: Work,
    name: str,
    first: Way,
    reference: Tensor,
    repeats: bool,
    budget: Budget,
) -> Iterator[Result]:
    budget.check()
    peak = Peak(settings.device)
    way = WAYS[name](work)
    costs = pairs_within(
        budget,
        lambda: peak.during(partial(timed, way.train, settings.device)),
        partial(timed, first.train, settings.device),
        settings.pairs,
    )
    same = torch.equal(way.vectors, reference)
    difference = float((way.vectors - reference).abs().max())
    rate = work.shape.images / statistics.median(mine.wall for mine, _ in costs)
    words = [
        f"{rate:.0f} images/s",
        peak.words(),
        "the same bits" if same else f"other bits, by up to {difference:.1e}",
        f"without {way.lacks}" if way.lacks else "",
    ]
    yield Result(
        f"{settings.place}: {name} ÷ {FIRST}, {work.shape.words}",
        [mine.wall / other.wall for mine, other in costs],
        note="; ".join(word for word in words if word),
        facts={
            "shape": work.shape.words,
            "way": name,
            "same_bits": same,
            "repeats": repeats,
            "difference": difference,
        },
    )
