"""The plain loop beside which every figure of a bench is measured.

It says how fast the machine was at that moment and whether others kept it busy, so that seconds
of two days can be compared, and a disturbed figure is known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from benchmarks.results_file import Figure
from benchmarks.timing import Cost, Result, cost

SIDE, STEPS = 28, 100  # a third of a second: a pause of some milliseconds is no disturbance


def plain_epoch(steps: int = STEPS) -> Callable[[], Cost]:
    """The small CNN on random images, in one thread: the cost of a step, as a mean of ``steps``."""
    import torch

    from benchmarks.rounds import BATCH, plain_loop
    from medfl.models import build_model

    draw = torch.Generator().manual_seed(0)
    shape = (steps * BATCH, 3, SIDE, SIDE)
    images = torch.randint(0, 256, shape, dtype=torch.uint8, generator=draw)
    labels = torch.randint(0, 7, shape[:1], generator=draw)
    with torch.random.fork_rng(devices=[]):
        net = build_model("cnn", 7, 3, SIDE).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    epoch = plain_loop(images, labels, (0.5,) * 3, (0.25,) * 3, net, channels_last=True)

    def measured() -> Cost:
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            with torch.random.fork_rng(devices=[]):
                spent = cost(epoch)
                return Cost(spent.cpu / steps, spent.wall / steps)
        finally:
            torch.set_num_threads(threads)

    measured()
    return measured


def beside(results: Iterable[Result], plain: Callable[[], Cost]) -> Iterator[Figure]:
    """Each result with the plain loop right before and right after it."""
    before = plain()
    for result in results:
        after = plain()
        waited = (before.wall + after.wall) / (before.cpu + after.cpu)
        yield Figure(**vars(result), plain=[before.cpu, after.cpu], waited=waited)
        before = plain()
