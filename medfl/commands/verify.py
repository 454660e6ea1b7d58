"""`verify` reads stores, splits and runs wholly, and compares them with the hashes they noted."""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medfl.commands import checks
from medfl.errors import MedflError

if TYPE_CHECKING:
    from medfl.grid import Cell, GridConfig

LONG_BYTES = 2**28
"""From so many bytes on there is a progress bar."""


@dataclass(frozen=True)
class _Thing:
    """A store, a split or a run.

    Attributes:
        path: what its line calls it.
        files: those that are read.
        check: one of ``medfl/commands/checks.py``.
    """

    path: Path
    files: tuple[Path, ...]
    check: Callable[[Path, checks.Read], str]


def verify(options: argparse.Namespace) -> int:
    """Say of each store, split, run and choice whether it is what was written; change nothing."""
    from tqdm import tqdm

    things = list({thing.path: thing for thing in _chosen(options)}.values())
    if not things:
        raise MedflError(
            "there is nothing to verify here: name datasets, or give --work-root, --splits-dir, "
            "--grid or --results."
        )
    total = sum(path.stat().st_size for one in things for path in one.files if path.is_file())
    found: Counter[str] = Counter()
    with tqdm(
        desc="verifying",
        total=total,
        unit="B",
        unit_scale=True,
        file=sys.stderr,
        mininterval=0.5,
        disable=total < LONG_BYTES,
    ) as bar:
        for thing in things:
            kind, words = _judged(thing, lambda path: _sha256(path, bar.update))
            found[kind] += 1
            bar.write(f"{thing.path}: {words}", file=sys.stdout)
    counts = f"{found['intact']} intact, {found['damaged']} damaged, {found['unknown']} unknown"
    if found["damaged"]:
        raise MedflError(f"{counts}: the lines above say where, and how to mend it.")
    print(counts)
    return 1 if found["unknown"] else 0


def verify_options(parser: argparse.ArgumentParser) -> None:
    """Options of `medfl verify`."""
    from medfl.commands import options
    from medfl.commands.words import file, folder

    words = "stores, by dataset word or folder, with their splits; else all of the work root"
    parser.add_argument("dataset", nargs="*", help=words)
    options.work_root(parser, "holds prepared/ and splits/")
    parser.add_argument("--splits-dir", type=folder, help="the splits; else <work-root>/splits")
    parser.add_argument("--grid", type=file, help="a params file: its stores, splits and runs")
    words = "all runs under a folder of results; or one run's folder"
    parser.add_argument("--results", type=folder, help=words)


def _judged(thing: _Thing, read: checks.Read) -> tuple[str, str]:
    try:
        words = thing.check(thing.path, read)
    except MedflError as error:
        return "damaged", f"damaged: {error}"
    except OSError as error:  # of a failing disk, too
        where = error.filename or thing.path
        return "damaged", f"damaged: {where} cannot be read ({error.strerror or error})."
    return ("intact" if words == checks.INTACT else "unknown"), words


def _sha256(path: Path, told: Callable[[int], object]) -> str:
    from medfl.files.regular import regular

    digest = hashlib.sha256()
    with open(path, "rb", opener=regular) as file:
        while chunk := file.read(2**20):
            digest.update(chunk)
            told(len(chunk))
    return digest.hexdigest()


def _chosen(options: argparse.Namespace) -> Iterator[_Thing]:
    from medfl.config import prepared_dir
    from medfl.datasets.place import store_path
    from medfl.grid import read_grid

    if options.grid:
        yield from _of_grid(read_grid(options.grid), options.results)
    elif options.results:
        yield from _of_results(Path(options.results))
    elif not options.dataset:
        root = prepared_dir(options.work_root)
        inner = sorted(root.iterdir()) if root.is_dir() else []
        yield from map(_store, (one for one in inner if one.is_dir() and one.name[0] != "."))
    for word in options.dataset:
        yield _store(store_path(word, options.work_root))
    splits = Path(options.splits_dir or Path(options.work_root, "splits"))
    if options.splits_dir and not splits.is_dir():  # else it would be as if all there was intact
        raise MedflError(f"--splits-dir {splits} does not exist: name the folder of the splits.")
    if options.dataset:
        for word in options.dataset:
            yield from _splits_under(splits / Path(word).name)
    elif options.splits_dir or not (options.grid or options.results):
        yield from _splits_under(splits)


def _of_grid(grid: GridConfig, results: str | None) -> Iterator[_Thing]:
    from medfl.commands.options import tell
    from medfl.datasets.place import store_path
    from medfl.grid.shared import run_of
    from medfl.partition.place import sidecar, split_path
    from medfl.partition.pooled import POOLED
    from medfl.results import paths
    from medfl.tuning.search import tuned_on

    stores = [store_path(name, grid.work_root) for name in grid.datasets]
    where, splits, runs = results or grid.output_dir, [], []
    searched: dict[Cell, None] = {}
    for cell in grid.cells():
        place = [cell]
        try:
            split, place = grid.split_path(cell), [run_of(grid, cell)]
        except MedflError:
            clients = grid.clients(cell.dataset, cell.partition)
            dealt = (cell.dataset, cell.partition, cell.seed)
            split = split_path(grid.splits_dir, *dealt, clients, grid.split_config())
            if grid.split_file or not split.is_file():
                raise
            # The grid's own split is damaged, which its line says. Nor is it known whose run it is.
            place.append(replace(cell, partition=POOLED))
        splits.append(split)
        folders = [paths.run_folder(where, one) for one in place]
        runs += [one for one in folders if one.exists()] or folders[:1]
        tuned = [tuned_on(grid, one) for one in place] if grid.tune else []
        there = [one for one in tuned if paths.tuning_folder(where, one).exists()]
        searched |= dict.fromkeys(there or tuned[:1])
    yield from (_store(path) for path in stores if path.exists())
    yield from (_split(path) for path in splits if path.exists() or sidecar(path).exists())
    searches = _of_searches(grid, searched, where)
    yield from (_run(path) for path in runs if path.exists())
    yield from (thing for thing in searches if thing.path.exists())
    needed = dict.fromkeys([*stores, *splits, *runs, *(thing.path for thing in searches)])
    missing = [path for path in needed if not (path.exists() or sidecar(path).exists())]
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        tell([f"not made yet, and not verified: {missing[0]}{more}"])


def _of_searches(grid: GridConfig, cells: Iterable[Cell], results: str) -> list[_Thing]:
    """The points of each search, and what was chosen among them."""
    from medfl.tuning.choose import choice_of, chosen_path, point_folder

    things = []
    for cell in cells:
        numbers = range(1, grid.tune.points + 1) if grid.tune else ()
        things += [_run(point_folder(results, cell, number)) for number in numbers]
        again = partial(choice_of, grid, cell, results)
        things.append(_choice(chosen_path(grid, cell, results), again))
    return things


def _of_results(folder: Path) -> Iterator[_Thing]:
    from medfl.results import paths

    if not folder.is_dir():
        raise MedflError(f"{folder} is no folder of results.")
    if (folder / paths.RUNS).is_dir():
        pattern = paths.RUN.format(dataset="*", partition="*", arm="*", seed="*")
        runs = sorted(path for path in (folder / paths.RUNS).glob(pattern) if path.is_dir())
        tuned = folder / paths.TUNING
        runs = sorted(tuned.glob(f"{pattern}/{paths.POINT.format(point='*')}")) + runs
        yield from map(_choice, sorted(tuned.glob(f"{pattern}/{paths.CHOSEN}")))
    else:
        runs = [folder] if (folder / paths.CONFIG).is_file() else []
    for run in runs:
        yield _run(run)
        yield from _splits_under(run / "split")


def _store(path: Path) -> _Thing:
    from medfl.store.store import IMAGES

    return _Thing(path, (path / IMAGES,), checks.check_store)


def _split(path: Path) -> _Thing:
    return _Thing(path, (path,), checks.check_split)


def _run(path: Path) -> _Thing:
    from medfl.results import paths

    names = (paths.ROUNDS, paths.CLIENTS, paths.MODEL, paths.PREDICTIONS)
    return _Thing(path, tuple(path / name for name in names), checks.check_run)


def _choice(path: Path, again: Callable[[], dict[str, Any]] | None = None) -> _Thing:
    return _Thing(path, (), partial(checks.check_choice, again=again))


def _splits_under(folder: Path) -> Iterable[_Thing]:
    """All splits in a folder, and the records that have lost theirs."""
    from medfl.partition.place import sidecar

    tables = set(folder.rglob("*.csv"))
    ending = sidecar("x").name[1:]
    tables |= {
        path.with_name(path.name.removesuffix(ending) + ".csv")
        for path in folder.rglob(f"*{ending}")
    }
    return map(_split, sorted(tables))
