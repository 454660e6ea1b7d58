"""Measure, print a table, write the numbers: ``python -m benchmarks`` (some minutes)."""

from __future__ import annotations

import argparse
import os
import platform
import sys
import time

# torch reads this when a part imports it.
os.environ.setdefault("OMP_NUM_THREADS", "1")

from benchmarks import (
    augment,
    encryption,
    gpu,
    grid,
    large,
    memory,
    rounds,
    secure_aggregation,
    startup,
    workers,
)
from benchmarks.timing import Result
from medfl.files import write_json

PARTS = {
    "rounds": (rounds.run, 4),
    "workers": (workers.run, 7),
    "augment": (augment.run, 5),
    "startup": (startup.run, 5),
    "memory": (memory.run, 2),
    "grid": (grid.run, 3),
    "large": (large.run, 5),
    "secure": (secure_aggregation.run, 3),
    "encryption": (encryption.run, 3),
    "gpu": (gpu.run, 3),
}


def main() -> int:
    """Run the chosen parts; 1 where a target was missed and ``--strict`` was given."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", default=",".join(PARTS), help="parts, comma-separated")
    parser.add_argument("--pairs", type=int, help="pairs per measurement; each part has a default")
    parser.add_argument("--output", default="results/benchmarks.json", help="the file to write")
    parser.add_argument("--strict", action="store_true", help="fail where a target is missed")
    options = parser.parse_args()
    names = options.only.split(",")
    unknown = [name for name in names if name not in PARTS]
    if unknown or (options.pairs is not None and options.pairs < 1):
        parser.error(f"--only takes {', '.join(PARTS)}; --pairs is at least 1")
    print(f"{'':52}{'median':>9}{'min':>9}{'max':>9}{'pairs':>6}  target")
    results: list[Result] = []
    started = time.monotonic()
    for name in names:
        function, pairs = PARTS[name]
        for result in function(options.pairs or pairs):
            results.append(result)
            print(line(result), flush=True)
    import torch

    write_json(
        options.output,
        {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "platform": platform.platform(),
            "processors": os.cpu_count(),
            "load_average": os.getloadavg(),
            "seconds": time.monotonic() - started,
            "results": [result.summary() for result in results],
        },
    )
    missed = [result.name for result in results if result.verdict == "MISSED"]
    print(f"{options.output} written; missed: {', '.join(missed) or 'none'}")
    return int(bool(missed) and options.strict)


def line(result: Result) -> str:
    """One row of the table."""
    if not result.ratios:
        return f"{result.name:52}skipped: {result.note}"
    numbers = (result.median, min(result.ratios), max(result.ratios))
    cells = "".join(f"{number:>9.3f}" if number < 1e4 else f"{number:>9.0f}" for number in numbers)
    target = "" if result.target is None else f"≤ {result.target:g} {result.verdict}"
    words = "  ".join(word for word in (result.unit, target, result.note) if word)
    return f"{result.name:52}{cells}{len(result.ratios):>6}  {words}"


if __name__ == "__main__":
    sys.exit(main())
