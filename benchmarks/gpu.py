"""Measures on a GPU, in under ten minutes, and says how clients should train there.

    python -m benchmarks.gpu --out FILE.json

It needs PyTorch, torchvision, numpy and PyYAML, and this folder beside medfl's. What compares with
medfl's engine needs its other packages too (pydantic), and is skipped where they are missing.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from benchmarks.on_gpu import clients, engine, jobs, verdict
from benchmarks.on_gpu.budget import Budget
from benchmarks.on_gpu.measuring import Settings, full, small
from benchmarks.results_file import Figure, Part, Record, commit, this_machine, versions
from benchmarks.table import HEAD, line
from benchmarks.timing import Result
from medfl.errors import MedflError

SECONDS, PAIRS = 540.0, 5
NONE = f"PyTorch {torch.__version__} sees no GPU: nothing was measured, and no default is decided"
CPU = (
    "Measured on the CPU, on tiny images: this shows that the script runs. Nothing of it says how "
    "fast a GPU is, and no default is decided by it."
)


def run(pairs: int) -> Iterator[Result]:
    """As a part of the bench; where there is no GPU, one line says so."""
    if not torch.cuda.is_available():
        yield Result("GPU", note=NONE)
        return
    yield from measure(full(torch.device("cuda"), pairs), SECONDS)


def measure(settings: Settings, seconds: float) -> Iterator[Result]:
    """All parts, each within its share of the time; what does not fit is skipped and said so."""
    shapes = {shape.words: weight for shape, weight in settings.shapes}
    budget = Budget(seconds, {"rounds": 3, "memory": 1, "jobs": 4} | shapes)
    parts = {"rounds": engine.rounds, "memory": engine.memory, "jobs": jobs.run}
    for part, measured in parts.items():
        budget.open(part)
        yield from measured(settings, budget)
    # Last: a graph that cannot be captured may leave the device unusable.
    for shape, _ in settings.shapes:
        budget.open(shape.words)
        yield from clients.run(settings, shape, budget)


def conclude(figures: Sequence[Result]) -> list[str]:
    """The verdict in words."""
    return verdict.conclude(figures)


def main(arguments: list[str] | None = None) -> int:
    """Measure, write the file after each figure, and say the verdict."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="the file to write, JSON")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="for all of it")
    parser.add_argument("--pairs", type=int, default=PAIRS, help="of each figure, at most")
    parser.add_argument(
        "--device", default="cuda", help="cuda; with cpu the script is tried out on tiny images"
    )
    options = parser.parse_args(arguments)
    if options.device.split(":")[0] not in ("cuda", "cpu"):
        parser.error(f"--device is {options.device}; it is cuda, cuda:<index> or cpu")
    if options.seconds <= 0 or options.pairs < 1:
        parser.error("--seconds is above 0, and --pairs at least 1")
    try:
        return _measured(options)
    except MedflError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def _measured(options: Any) -> int:
    cuda = options.device != "cpu"
    if cuda and not torch.cuda.is_available():
        raise MedflError(f"{NONE}. `--device cpu` tries the script out.")
    if options.out.exists():
        raise MedflError(f"{options.out} is there already: name another file.")
    device = torch.device(options.device)
    settings = (full if cuda else small)(device, options.pairs)
    now, started = datetime.now(UTC).astimezone(), time.monotonic()
    part = Part(now.isoformat(timespec="seconds"), 0.0, commit(), os.getloadavg()[0], [])
    gpu = torch.cuda.get_device_name(device) if cuda else ""
    record = Record(this_machine(gpu), versions(), {"gpu" if cuda else "gpu-on-cpu": part})
    record.write(options.out)
    print(f"{record.machine.words()}; PyTorch {torch.__version__}")
    print(HEAD, flush=True)
    for result in measure(settings, options.seconds):
        figure = Figure(**vars(result))
        part.figures.append(figure)
        part.seconds = time.monotonic() - started
        record.write(options.out)
        print(line(figure), flush=True)
    part.words = conclude(part.figures) if cuda else [CPU]
    record.write(options.out)
    print("\n".join(part.words))
    left_out = [figure for figure in part.figures if not figure.ratios]
    failed = sum(figure.note.startswith("failed") for figure in left_out)
    figures = f"{len(part.figures) - len(left_out)} figures in {part.seconds:.0f} s"
    print(f"{options.out} written: {figures}; {len(left_out)} left out, {failed} of them failed")
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
