"""The choice among the points of a search, on validation samples alone, and the file of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medfl.config import FederatedConfig
from medfl.datasets.place import store_path
from medfl.errors import MedflError
from medfl.federated.fingerprint import fingerprint
from medfl.federated.stale import inputs_now, is_stale
from medfl.federated.tuned import DATA, Tuning
from medfl.files import OWN_HASH, is_whole, load_json, own_hash, sha256_file, write_json
from medfl.partition.rows import read_rows
from medfl.results import paths
from medfl.results.parts import SearchPart
from medfl.results.record import read_record
from medfl.results.schema import COMPLETED, Metrics, Record
from medfl.tuning.search import point_config, points_of, search_of, tuned_on

if TYPE_CHECKING:
    from medfl.grid import Cell, GridConfig


CHOICE = 1
"""The results version of the choice: raised where another point may be chosen."""


def chosen_path(grid: GridConfig, cell: Cell, results: str | Path) -> Path:
    """Where the values lie that are chosen for a cell."""
    return paths.tuning_folder(results, tuned_on(grid, cell)) / paths.CHOSEN


def point_folder(results: str | Path, cell: Cell, number: int) -> Path:
    """The folder of one point, counted from 1, of the search on a cell's folds."""
    return paths.tuning_folder(results, cell) / paths.POINT.format(point=number)


def choose_point(grid: GridConfig, cell: Cell, results: str | Path) -> dict[str, Any]:
    """Choose among the points of a cell, and write ``chosen.json``.

    Returns:
        The content of the file.

    Raises:
        MedflError: as ``choice_of``.
    """
    content = choice_of(grid, cell, results)
    content[OWN_HASH] = own_hash(content)
    write_json(paths.tuning_folder(results, cell) / paths.CHOSEN, content)
    return content


def choice_of(grid: GridConfig, cell: Cell, results: str | Path) -> dict[str, Any]:
    """What is chosen among the points of a cell, as they lie there.

    The point with the best primary metric on validation samples after its last round is chosen, of
    equal ones the first. One that diverged, or for which the metric is not defined, comes last;
    where all did, the first stays, which is what is shipped.

    Raises:
        MedflError: a point is missing, or is a run of other settings, data or code; or the test
            samples of another seed are not those of the seed whose folds are searched.
    """
    check_test_samples(grid, cell)
    inputs = inputs_now(grid.split_path(cell), store_path(cell.dataset, grid.work_root))
    primary, scores, searched = None, [], []
    for number, values in enumerate(points_of(grid, cell), 1):
        folder = point_folder(results, cell, number)
        record = read_record(folder / paths.RECORD)
        _check_point(folder, point_config(grid, cell, values), record, inputs, number)
        inputs = {key: str(record.provenance.get(key)) for key in DATA.values()}
        primary = record.primary
        val = (record.last and record.last.val) or Metrics()
        found = getattr(val, primary or "", None) if record.status == COMPLETED else None
        scores.append(float("-inf") if found is None else found)
        searched.append({"values": values, "status": record.status, "validation": found})
    if {COMPLETED} <= {one["status"] for one in searched} and max(scores) == float("-inf"):
        raise MedflError(
            f"{paths.tuning_folder(results, cell)}: no point has {primary} on validation samples: "
            "it is not defined on them, or not published of so few. Give validation more samples "
            "(val_fraction, min_val), or leave `tune` out."
        )
    best = scores.index(max(scores))
    search = search_of(grid, cell)
    return {
        "chosen": best + 1,
        "values": searched[best]["values"],
        "metric": primary,
        "data": {name: inputs[key] for name, key in DATA.items()},
        **{key: value for key, value in search.items() if key != "points"},
        "points": searched,
    }


def _check_point(
    folder: Path,
    config: FederatedConfig,
    record: Record,
    inputs: Mapping[str, str],
    number: int,
) -> None:
    """Refuse a run that is not a point of this search: it would be compared with others' like."""
    origin = record.provenance
    if origin.get("config_sha256") != fingerprint(config):
        raise MedflError(f"{folder} is not point {number} of this search: train it again.")
    for name, key in DATA.items():
        if key in inputs and origin.get(key) != inputs[key]:
            raise MedflError(
                f"{folder} was trained on another {name} than the other points or the grid's: "
                "train it again."
            )
    if is_stale(folder / paths.RECORD, config, fingerprint(config), {}):
        raise MedflError(
            f"{folder} was trained by code that gives other numbers than today's: train it again."
        )


def read_chosen(grid: GridConfig, cell: Cell, path: str | Path) -> dict[str, Any]:
    """Read what was chosen for a cell.

    Raises:
        MedflError: there is no such file, or it is damaged or of another search.
    """
    again = f"make it with `medfl choose`, or all with `snakemake {paths.TUNING}`"
    try:
        content = load_json(path)
    except FileNotFoundError as error:
        raise MedflError(f"{path} does not exist, and this grid is tuned: {again}.") from error
    except (OSError, ValueError) as error:
        raise MedflError(f"{path} cannot be read: {again}.") from error
    if not isinstance(content, dict) or not is_whole(content):
        raise MedflError(f"{path} is damaged or was edited: {again}.")
    try:
        SearchPart.model_validate(content)
        search = {key: content[key] for key in search_of(grid, cell)}
        search["points"] = [point["values"] for point in content["points"]]
        whole = content["values"] == search["points"][content["chosen"] - 1]
        whole = whole and content["data"].keys() == DATA.keys()
    except (KeyError, IndexError, TypeError, AttributeError, ValueError):
        search, whole = {}, False
    if not whole or search != search_of(grid, cell):
        raise MedflError(f"{path} was chosen in another search than this grid's: {again}.")
    return {key: value for key, value in content.items() if key != OWN_HASH}


def tuned_run(
    grid: GridConfig, cell: Cell, path: str | Path | None = None
) -> tuple[FederatedConfig, Tuning | None]:
    """The run of a cell with its chosen values, and the search for its record.

    Args:
        grid: a grid. Where it is not tuned, the run is as it is shipped.
        cell: the run.
        path: the file of what was chosen; by default that of the grid's results.

    Raises:
        MedflError: nothing of this search was chosen yet.
    """
    if grid.tune is None:
        return grid.run_config(cell), None
    path = path or chosen_path(grid, cell, grid.output_dir)
    content = read_chosen(grid, cell, path)
    return grid.run_config(cell, content["values"]), (sha256_file(path), content)


def wanted_of(grid: GridConfig, cell: Cell, results: str | Path) -> dict[str, str]:
    """What the record of a cell's run has to say of its settings, and of what they come from.

    Where no values are chosen yet, no record says it.
    """
    try:
        path = None if grid.tune is None else chosen_path(grid, cell, results)
        config, tuning = tuned_run(grid, cell, path)
    except MedflError:
        return {"config_sha256": "not chosen yet"}
    return {
        "config_sha256": fingerprint(config),
        **({"tuned_sha256": tuning[0]} if tuning else {}),
    }


def check_test_samples(grid: GridConfig, cell: Cell, yet: bool = False) -> None:
    """Refuse to choose for all seeds on the folds of one, where test samples differ between them.

    Some of the other seeds' test patients would have been trained on, or chosen by.

    Args:
        grid: a tuned grid.
        cell: the run on whose folds values are searched.
        yet: look only at splits that are there by now.
    """
    assert grid.tune is not None
    if grid.tune.folds == "each":
        return
    splits = [grid.split_path(replace(cell, seed=seed)) for seed in (cell.seed, *grid.seeds)]
    splits = [path for path in splits if path.exists()] if yet else splits
    mine = _test_samples(splits[0]) if splits else set()
    for path in splits:
        if _test_samples(path) != mine:
            raise MedflError(
                f"tune.folds is first, but {path} has other test samples than seed {cell.seed}, on "
                "whose folds values would be chosen for all seeds: write `folds: each`."
            )


def _test_samples(path: Path) -> set[str]:
    rows = read_rows(path)
    return {sample for sample, fold in zip(rows.samples, rows.folds, strict=True) if fold == "test"}
