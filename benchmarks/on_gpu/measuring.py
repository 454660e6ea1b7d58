"""What the parts of the script share: settings, timing, and reasons why something is left out."""

from __future__ import annotations

import gc
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass

import torch

from benchmarks.on_gpu.budget import NoTimeError
from benchmarks.on_gpu.work import Shape
from benchmarks.timing import Cost, Result


@dataclass(frozen=True)
class Settings:
    """What is measured, and where.

    Attributes:
        device: where.
        shapes: the rounds, each with the weight of its share of the time.
        pairs: of each figure, at most.
        job: the round of a job, of which several share the GPU.
        job_rounds: how many rounds a job trains.
        jobs: how many jobs share it.
    """

    device: torch.device
    shapes: tuple[tuple[Shape, float], ...]
    pairs: int
    job: Shape
    job_rounds: int
    jobs: tuple[int, ...] = (1, 2, 4)

    @property
    def place(self) -> str:
        """What stands before the names of all figures."""
        return "GPU" if self.device.type == "cuda" else "CPU"


def full(device: torch.device, pairs: int) -> Settings:
    """What is measured on a GPU."""
    return Settings(
        device,
        (
            (Shape("cnn", 28, True, 10, 8, 32), 1),
            (Shape("resnet18", 28, True, 10, 8, 32), 2),
            (Shape("resnet18", 28, False, 10, 8, 32), 2),
            (Shape("resnet18", 64, True, 10, 8, 32), 2),
            (Shape("efficientnet_b0", 224, True, 10, 2, 32), 3),
        ),
        pairs,
        Shape("resnet18", 28, True, 10, 8, 32),
        20,
    )


def small(device: torch.device, pairs: int) -> Settings:
    """The same on tiny images: whether all of it runs, and nothing of how fast."""
    return Settings(
        device,
        (
            (Shape("cnn", 16, False, 3, 2, 4), 1),
            (Shape("resnet18", 16, False, 2, 1, 4), 1),
            (Shape("efficientnet_b0", 32, False, 2, 1, 2), 1),
        ),
        pairs,
        Shape("cnn", 16, False, 2, 1, 4),
        1,
        (1, 2),
    )


def timed(function: Callable[[], object], device: torch.device) -> Cost:
    """The cost of one call until the device is done: wall time is what counts."""
    wait(device)
    start = time.perf_counter()
    function()
    wait(device)
    seconds = time.perf_counter() - start
    return Cost(seconds, seconds)


def wait(device: torch.device) -> None:
    """Wait until the device has done its work."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


class Peak:
    """The most memory of the device that calls held, beyond what was held before.

    Attributes:
        bytes: that, over all calls so far; None on a device without memory of its own.
    """

    def __init__(self, device: torch.device) -> None:
        self._cuda = device.type == "cuda"
        self._before = torch.cuda.memory_allocated(device) if self._cuda else 0
        self._device = device
        self.bytes: int | None = 0 if self._cuda else None

    def during(self, function: Callable[[], Cost]) -> Cost:
        """Call a function."""
        if self._cuda:
            torch.cuda.reset_peak_memory_stats(self._device)
        found = function()
        if self._cuda:
            most = torch.cuda.max_memory_allocated(self._device) - self._before
            self.bytes = max(self.bytes or 0, most)
        return found

    def words(self) -> str:
        return "" if self.bytes is None else f"{self.bytes / 2**20:.0f} MiB"


def attempt(name: str, measure: Callable[[], Iterator[Result]]) -> Iterator[Result]:
    """The results of a measurement; or one line that says why there are none (or no more)."""
    try:
        yield from measure()
        return
    except NoTimeError as error:
        reason = f"did not fit: {error}"
    except torch.OutOfMemoryError:
        reason = "does not fit into the GPU's memory"
    except ModuleNotFoundError as error:
        reason = f"needs the Python package {error.name}" if error.name else str(error)
    except Exception as error:
        traceback.print_exc()
        reason = f"failed: {type(error).__name__}: {' '.join(str(error).split())[:200]}"
    finally:
        gc.collect()
        with suppress(RuntimeError):  # a GPU that has failed
            torch.cuda.empty_cache()
    yield Result(name, note=reason)
