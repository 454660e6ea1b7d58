"""Plant wrong edits and see whether the tests notice: ``python -m mutants`` (hours, resumable)."""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import os
import sys
from itertools import islice
from pathlib import Path

# torch reads this when it is imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")

from mutants import forked, outcome
from mutants.edits import Mutant, mutants
from mutants.judge import Verdict, copy_project, judge
from mutants.reach import Reach, digest, near

ROOT = Path(__file__).parents[1]
ROOMS = ("algorithms", "federated", "chain", "partition", "metrics", "results")
# A picture is looked at: most edits of its lengths and sizes of letters are a matter of taste.
DRAWN = ("medfl/partition/picture.py",)


def sample(tree: Path, found: list[Mutant], size: int, seed: int) -> list[Mutant]:
    """As many mutants, drawn by a hash: an edit of the project moves few in or out of it."""
    ranked = sorted(found, key=lambda one: hashlib.sha256(f"{seed} {one.key}".encode()).digest())
    sound = (one for one in ranked if one.compiles((tree / one.file).read_bytes()))
    return list(islice(sound, size))


def find(tree: Path, places: list[str]) -> list[Mutant]:
    """All mutants of rooms or files of the package, such as ``chain`` or ``federated/tally.py``."""
    files = [path for place in places for path in _files(tree / "medfl" / place)]
    paths = [path for path in files if path.relative_to(tree).as_posix() not in DRAWN]
    return [
        mutant
        for path in paths
        for mutant in mutants(path.relative_to(tree).as_posix(), path.read_bytes())
    ]


def _files(path: Path) -> list[Path]:
    return sorted(path.rglob("*.py")) if path.is_dir() else [path]


def tests_sha(tree: Path, tests: list[str], wide: float) -> str:
    """A hash of the tests that a survivor has survived."""
    shas = [f"{name} {digest(tree / name)}" for name in sorted(tests)]
    return hashlib.sha256("\n".join([*shas, str(wide)]).encode()).hexdigest()[:16]


def main() -> int:
    """Judge the sample; 1 where a mutant survived."""
    parser = argparse.ArgumentParser(prog="python -m mutants", description=__doc__)
    parser.add_argument("places", nargs="*", default=ROOMS, help="rooms or files of medfl/")
    parser.add_argument("--size", type=int, default=320, help="how many mutants")
    parser.add_argument("--seed", type=int, default=0, help="which mutants")
    parser.add_argument("--near", action="store_true", help="the tests of their own rooms alone")
    parser.add_argument("--wide", type=float, default=120, help="seconds of tests for each mutant")
    parser.add_argument("--folder", default=".mutants", help="where the outcome is written")
    options = parser.parse_args()
    folder = (ROOT / options.folder).resolve()
    tree = folder / "tree"
    tree.mkdir(parents=True, exist_ok=True)
    lock = (folder / "lock").open("w")  # closed, and so given back, with the process
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        parser.error(f"another start is at work in {folder}: give another --folder")
    copy_project(ROOT, tree)
    places = list(options.places)
    if missing := [place for place in places if not (tree / "medfl" / place).exists()]:
        parser.error(f"medfl/ has no {', '.join(missing)}")
    chosen = sample(tree, find(tree, places), options.size, options.seed)
    forked.import_heavy()
    reach = Reach(tree, folder / "reach.json")
    rooms = sorted({mutant.room for mutant in chosen})
    reach.make([part for room in rooms for part in near(room)] if options.near else ["tests/"])
    rows = run(chosen, reach, folder / "outcome.csv", options.near, options.wide)
    text = f"{outcome.table(rows)}\n\n{outcome.survivors(rows)}".rstrip()
    (folder / "outcome.txt").write_text(text + "\n", encoding="utf-8")
    print(f"\n{text}\n\nAll of them: {folder / 'outcome.csv'}")
    return int(any(one["outcome"] in ("survived", "unreached") for one in rows))


def run(
    chosen: list[Mutant], reach: Reach, path: Path, only_near: bool, wide: float
) -> list[outcome.Row]:
    """The rows of a sample: those whose outcome stands, and those that are judged now."""
    known, listed, rows = outcome.read(path), outcome.equivalents(), []
    for number, mutant in enumerate(chosen, 1):
        tests = reach.of(mutant.file, mutant.line, mutant.room)
        if only_near:
            tests = [name for name in tests if name.startswith(near(mutant.room))]
        source, sha = digest(reach.tree / mutant.file), tests_sha(reach.tree, tests, wide)
        if outcome.what(mutant) in listed:
            verdict = Verdict("equivalent", listed[outcome.what(mutant)])
        elif outcome.stands(known.get(mutant.key), source, sha):
            rows.append(known[mutant.key])
            continue
        else:
            verdict = judge(mutant, tests, reach, wide)
        known[mutant.key] = outcome.row(mutant, verdict, source, sha)
        rows.append(known[mutant.key])
        outcome.write(path, known.values())
        said = f"{verdict.outcome:10}{verdict.seconds:6.1f} s  {mutant.file}:{mutant.line}"
        print(f"{number}/{len(chosen)} {said}", flush=True)
    return rows


if __name__ == "__main__":
    sys.exit(main())
