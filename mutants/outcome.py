"""What became of the sample: a file that is taken up again, a table, the survivors."""

from __future__ import annotations

import csv
import os
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import yaml

from mutants.edits import Mutant
from mutants.judge import Verdict

WORDS = "room file line function before after outcome by seconds left key source_sha tests_sha"
COLUMNS = WORDS.split()
NOTICED = ("killed", "pinned", "timeout")
LISTED = Path(__file__).with_name("equivalent.yaml")
Row = dict[str, str]


def row(mutant: Mutant, verdict: Verdict, source_sha: str, tests_sha: str) -> Row:
    """A mutant's row in the file of outcomes."""
    values = vars(mutant) | vars(verdict) | {"room": mutant.room}
    values |= {"source_sha": source_sha, "tests_sha": tests_sha}
    values["seconds"] = f"{verdict.seconds:.1f}"
    return {name: str(values[name]) for name in COLUMNS}


def read(path: Path) -> dict[str, Row]:
    """The rows by their keys; none where there is no file yet."""
    if not path.exists():
        return {}
    with path.open(newline="", encoding="utf-8") as file:
        return {one["key"]: one for one in csv.DictReader(file)}


def write(path: Path, rows: Iterable[Row]) -> None:
    """Write all rows, whole or not at all."""
    new = path.with_suffix(".new")
    with new.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    os.replace(new, path)


def stands(one: Row | None, source_sha: str, tests_sha: str) -> bool:
    """Whether an outcome is that of these sources and, unless it was noticed, of these tests."""
    if one is None or one["source_sha"] != source_sha:
        return False
    return one["outcome"] in NOTICED or one["tests_sha"] == tests_sha


def equivalents(path: Path = LISTED) -> dict[tuple[str, ...], str]:
    """File, function, line before and after of mutants that change nothing → the reason.

    Raises:
        ValueError: an entry lacks one of these.
    """
    listed = yaml.safe_load(path.read_text(encoding="utf-8")) or []
    wanted = {"file", "function", "before", "after", "reason"}
    for entry in listed:
        if set(entry) != wanted or not all(isinstance(text, str) for text in entry.values()):
            raise ValueError(f"{path.name}: {entry} has other keys than {sorted(wanted)}")
    return {
        (one["file"], one["function"], one["before"], one["after"]): one["reason"] for one in listed
    }


def what(mutant: Mutant) -> tuple[str, ...]:
    """A mutant as the list of equivalent ones names it."""
    return mutant.file, mutant.function, mutant.before, mutant.after


def table(rows: Iterable[Row]) -> str:
    """A line for each room: mutants by outcome, and the share that was noticed.

    Equivalent mutants are counted and stand outside of the share: nobody could notice them.
    """
    counted: dict[str, Counter[str]] = {}
    for one in rows:
        counted.setdefault(one["room"], Counter())[one["outcome"]] += 1
    heads = (*NOTICED, "survived", "unreached", "equivalent")
    lines = [f"{'room':12}" + "".join(f"{head:>12}" for head in heads) + f"{'noticed':>10}"]
    everything = sum(counted.values(), Counter())
    for room, found in [*sorted(counted.items()), ("all", everything)]:
        judged = found.total() - found["equivalent"]
        share = sum(found[name] for name in NOTICED) / judged if judged else float("nan")
        numbers = "".join(f"{found[head]:>12}" for head in heads)
        lines.append(f"{room:12}{numbers}{share:>9.1%} ")
    return "\n".join(line.rstrip() for line in lines)


def survivors(rows: Iterable[Row]) -> str:
    """The mutants that nobody noticed, as they are and as they were."""
    found = [one for one in rows if one["outcome"] in ("survived", "unreached")]
    found.sort(key=lambda one: (one["file"], int(one["line"])))
    return "\n".join(
        f"{one['file']}:{one['line']} {one['outcome']}"
        + f", {one['left']} slow test files were not run" * (one["left"] != "0")
        + f"\n  - {one['before']}\n  + {one['after']}"
        for one in found
    )
