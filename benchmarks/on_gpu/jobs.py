"""How many runs an hour one GPU gives, by how many share it.

A job is what a grid starts: an interpreter, a federation, its rounds and their last evaluation.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from benchmarks.on_gpu.budget import Budget, NoTimeError
from benchmarks.on_gpu.engine import federated_trainer, store_of
from benchmarks.on_gpu.measuring import Settings, attempt
from benchmarks.on_gpu.work import Shape
from benchmarks.timing import Result, environment


def run(settings: Settings, budget: Budget) -> Iterator[Result]:
    """Runs an hour with one job at a time, and with several side by side."""
    name = f"{settings.place}: runs an hour, {settings.job.words}"
    yield from attempt(name, partial(_all_jobs, settings, name, budget))


def _all_jobs(settings: Settings, name: str, budget: Budget) -> Iterator[Result]:
    import pydantic  # noqa: F401 - a job needs it: say so here, not in the jobs

    with tempfile.TemporaryDirectory() as folder:
        store = store_of(Path(folder), settings.job)
        alone = 0.0
        for jobs in settings.jobs:
            budget.check(alone)  # side by side they take as long at least
            wall, training = side_by_side(jobs, store.path, settings, budget.left())
            alone = alone or wall
            yield Result(
                f"{name}, {jobs} at a time",
                [3600 * jobs / wall],
                unit="runs/h",
                note=f"{jobs * alone / wall:.2f} × one at a time; {wall:.1f} s, training "
                f"{max(training):.1f} s of them",
                better="more",
            )


def side_by_side(
    jobs: int, store: Path, settings: Settings, limit: float
) -> tuple[float, list[float]]:
    """Seconds until so many jobs that start together are all done, and those that each trained.

    Raises:
        NoTimeError: they take longer than the limit; they are ended.
        RuntimeError: one failed; with the end of what it said.
    """
    words = [str(store), str(settings.device), str(settings.job_rounds), *settings.job.to_words()]
    command = [sys.executable, "-m", "benchmarks.on_gpu.jobs", *words]
    started = time.monotonic()
    running = [
        subprocess.Popen(
            command, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for _ in range(jobs)
    ]
    try:
        said = [one.communicate(timeout=max(1, limit - _since(started))) for one in running]
    except subprocess.TimeoutExpired:
        raise NoTimeError(f"{jobs} jobs took longer than the {limit:.0f} s left") from None
    finally:
        for one in running:
            if one.poll() is None:
                one.kill()
                one.communicate()
    wall = _since(started)
    for one, (_, error) in zip(running, said, strict=True):
        if one.returncode:
            raise RuntimeError(f"a job failed: {error.strip()[-300:]}")
    return wall, [float(output.split()[-1]) for output, _ in said]


def _since(started: float) -> float:
    return time.monotonic() - started


def main(words: Sequence[str]) -> None:
    """Be a job; print the seconds that it trained."""
    from medfl.store import Store

    store, device, rounds, *shape = words
    federation = federated_trainer(
        Store.open(store), Shape.from_words(shape), device, rounds=int(rounds)
    )
    started = time.perf_counter()
    federation.train()
    print(time.perf_counter() - started)


if __name__ == "__main__":
    main(sys.argv[1:])
