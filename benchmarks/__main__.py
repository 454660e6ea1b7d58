"""``python -m benchmarks``: every measurement, one line each, and a file with all of them."""

from __future__ import annotations

import argparse
from importlib import import_module

from medfl.files import write_json

ROOMS = ("startup", "rounds", "memory", "grid")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("rooms", nargs="*", default=ROOMS, help=f"of {', '.join(ROOMS)}; all")
    parser.add_argument("--pairs", type=int, default=3, help="interleaved pairs a measurement")
    parser.add_argument("--output", default="results/benchmarks.json")
    options = parser.parse_args()
    summaries = []
    for room in options.rooms:
        for result in import_module(f"benchmarks.{room}").run(options.pairs):
            summary = result.summary()
            summaries.append(summary)
            ratio = f"{result.median:6.3f}" if result.ratios else "     –"
            print(f"{ratio}  {result.verdict:7}  {result.name}  ({result.note})", flush=True)
    write_json(options.output, summaries)
    print(f"written to {options.output}")


if __name__ == "__main__":
    main()
