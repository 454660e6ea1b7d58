"""Measure, print a table, write the numbers, and say what got slower: ``python -m benchmarks``."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from datetime import datetime
from pathlib import Path

# torch reads this when a part imports it.
os.environ.setdefault("OMP_NUM_THREADS", "1")

from benchmarks.comparison import compare_records, count, earlier_records
from benchmarks.parts import PARTS, STOPPED, run_part
from benchmarks.results_file import (
    FOLDER,
    Record,
    free_path,
    read_record,
    this_machine,
    versions,
)
from benchmarks.table import HEAD, line
from medfl.errors import MedflError

FAILED, BAD_INPUT, INTERRUPTED = 1, 2, 130
EPILOGUE = """\
Exit status: 0 all chosen parts ran (what a machine cannot measure is skipped, with the reason);
1 a part broke off, or under --strict a figure missed its target or got slower; 2 bad input.
"""


def main(arguments: list[str] | None = None) -> int:
    """Run the chosen parts, write their figures after each of them, compare them with the last."""
    options = _options(arguments)
    if options.list:
        for name, entry in PARTS.items():
            print(f"{name:12}{entry.pairs:>3} pairs  benchmarks/{entry.module}.py")
        return 0
    try:
        return _bench(options)
    except MedflError as error:
        print(f"error: {error}", file=sys.stderr)
        return BAD_INPUT


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=__doc__,
        epilog=EPILOGUE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--list", action="store_true", help="say which parts there are")
    parser.add_argument("--only", default=",".join(PARTS), help="parts, comma-separated")
    parser.add_argument("--pairs", type=int, help="pairs per measurement; each part has a default")
    parser.add_argument("--output", type=Path, help=f"the file to write; {FOLDER.name}/<date>.json")
    parser.add_argument("--add-to", type=Path, help="a file of this bench that gets these parts")
    parser.add_argument("--against", type=Path, help="the file to compare with; the last ones")
    parser.add_argument("--strict", action="store_true", help="fail where it is slow or slower")
    options = parser.parse_args(arguments)
    options.names = [name.strip() for name in options.only.split(",")]
    unknown = [name for name in options.names if name not in PARTS]
    if unknown:
        parser.error(f"--only: unknown part {', '.join(unknown)}; there are {', '.join(PARTS)}")
    if len(set(options.names)) < len(options.names):
        parser.error("--only names a part twice")
    if options.pairs is not None and options.pairs < 1:
        parser.error(f"--pairs is {options.pairs}; it is at least 1")
    if options.output and options.add_to:
        parser.error("--output and --add-to exclude each other: both say which file is written")
    return options


def _bench(options: argparse.Namespace) -> int:
    # What earlier files there are is read first: a broken one is told before minutes of work.
    output = options.add_to or options.output or free_path(FOLDER, datetime.now().astimezone())
    if options.output and options.output.exists():
        raise MedflError(f"{output} is there already: name another, or add to it with --add-to.")
    if options.against:
        earlier = [(options.against, read_record(options.against))]
    else:
        earlier = earlier_records(FOLDER, output, lambda words: say(f"warning: {words}"))
    record = _record(options.add_to)
    from benchmarks.yardstick import plain_epoch

    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: figures are kept
    plain = plain_epoch()
    print(HEAD)
    for number, name in enumerate(options.names, 1):
        seconds = next((r.parts[name].seconds for _, r in earlier if name in r.parts), None)
        last = f", {seconds:.0f} s last time" if seconds else ""
        say(f"[{number}/{len(options.names)}] {name}{last}")
        part = run_part(name, options.pairs, plain, lambda figure: print(line(figure), flush=True))
        record.parts[name] = part
        record.write(output)
        if part.failed == STOPPED:
            say(f"stopped; {os.path.relpath(output)} holds what was measured until then")
            return INTERRUPTED
        if part.failed:
            say(f"{name} broke off: {part.failed}")
        print("".join(f"{sentence}\n" for sentence in part.words), end="", flush=True)
    now = Record(record.machine, record.versions, {n: record.parts[n] for n in options.names})
    comparison = compare_records(now, earlier)
    print("\n".join(comparison.lines()))
    missed = [figure.name for _, figure in now.figures() if figure.verdict == "MISSED"]
    print(f"{count(len(missed), 'target')} missed{': ' * bool(missed)}{'; '.join(missed)}")
    print(f"{os.path.relpath(output)} written")
    broken = any(part.failed for part in now.parts.values())
    strict = options.strict and bool(missed or comparison.of("slower"))
    return FAILED if broken or strict else 0


def _record(add_to: Path | None) -> Record:
    """An empty record, or that of a file of this machine to which parts are added."""
    import torch

    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else ""
    new = Record(this_machine(gpu), versions())
    if add_to is None:
        return new
    old = read_record(add_to)
    if (old.machine, old.versions) != (new.machine, new.versions):
        raise MedflError(
            f"{add_to} was measured on {old.machine.words()} with {old.versions}, and this is "
            f"{new.machine.words()} with {new.versions}: write a file of its own with --output."
        )
    return old


def say(words: str) -> None:
    """Tell how far it is; the table alone goes to the output."""
    print(words, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
