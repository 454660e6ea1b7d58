"""What is searched of each arm of a grid, and the run of each point."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from medfl.algorithms.precision import check_planned
from medfl.algorithms.registry import ALGORITHMS
from medfl.arms.named import search_space
from medfl.chain import check_chain
from medfl.config import LEARNING_RATE, SECTIONS, SearchRange, did_you_mean
from medfl.errors import MedflError, naming
from medfl.federated.fingerprint import validated
from medfl.tuning.space import Values, points, range_ends

if TYPE_CHECKING:
    from medfl.config import FederatedConfig
    from medfl.grid import Cell, GridConfig

SEARCHED = ("training", "augmentation", "chain")
"""The sections of which a setting may be searched; the others are the same work for all arms."""
PROMISED = ("target_epsilon", "noise_multiplier", "delta")
"""What a link with differential privacy promises: another value is another arm."""


def points_of(grid: GridConfig, cell: Cell) -> list[Values]:
    """The points of a cell's arm: setting → value; all seeds have the same ones.

    Raises:
        MedflError: a setting is unknown, or may not be searched, or there are too few points.
    """
    assert grid.tune is not None
    where = f"arm `{cell.arm}`: search"
    own = search_space(cell.arm, grid.arm_settings[cell.arm])
    # The learning rate comes first: arms with one range of it take rates from one list.
    space = {LEARNING_RATE: grid.tune.learning_rate, **own}
    config = validated(grid.run_config(cell))
    shipped = {key: _shipped(config, key, where) for key in space}
    for key, searched in space.items():
        if isinstance(searched, SearchRange) and not _is_number(shipped[key]):
            raise MedflError(
                f"{where}.{key}: a range is searched of numbers, and this is "
                f"{json.dumps(shipped[key])}: give a list of values."
            )
        if isinstance(searched, SearchRange):
            with naming(f"{where}.{key}"):
                range_ends(searched, shipped[key])
    try:
        return points(space, shipped, grid.tune.points)
    except MedflError as error:
        raise MedflError(f"{where}: {error}: widen it, or ask for fewer in tune.points.") from None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _shipped(config: FederatedConfig, key: str, where: str) -> Any:
    """The value of a setting in a run with all defaults filled in."""
    section, *path = key.split(".")
    if not path:
        section, path = "algorithm_params", [key]
        found: Any = config.federated_learning.algorithm_params
    elif section in SEARCHED:
        found = getattr(config, section).model_dump()
        field = SECTIONS[section].model_fields.get(path[0])
        marks = field.json_schema_extra if field else None
        if isinstance(marks, dict) and not marks.get("decides", True):
            raise MedflError(f"{where}: `{key}` says where a run is computed: no result has it.")
    else:
        raise MedflError(
            f"{where}: `{key}` is no setting that may be searched: it is a hyper-parameter of the "
            f"algorithm, or of the sections {', '.join(SEARCHED)}. The rest is alike for all arms."
        )
    if path[-1] in PROMISED:
        raise MedflError(f"{where}: `{key}` is what the arm promises: name an arm for each value.")
    for step in path:
        if not isinstance(found, dict) or step not in found:
            known = found if isinstance(found, dict) else ()
            paths = [f"{name}.{key}" for name in SEARCHED if key in SECTIONS[name].model_fields]
            hint = f"; did you mean `{paths[0]}`?" if paths else did_you_mean(step, known)
            raise MedflError(f"{where}: unknown key `{key}`{hint}")
        found = found[step]
    return found


def tuned_on(grid: GridConfig, cell: Cell) -> Cell:
    """The run on whose folds a cell's values are chosen: its own, or that of the first seed."""
    assert grid.tune is not None
    return cell if grid.tune.folds == "each" else replace(cell, seed=grid.seeds[0])


def point_config(grid: GridConfig, cell: Cell, values: Values) -> FederatedConfig:
    """The run of a point: a cell's folds, and the training of the tuning seed."""
    assert grid.tune is not None
    config = grid.run_config(cell, values)
    keep = config.keep.model_copy(update={"predictions": False})
    again = {"seed": grid.tune.seed, "split_seed": cell.seed, "keep": keep}
    return config.model_copy(update=again)


def search_of(grid: GridConfig, cell: Cell) -> dict[str, Any]:
    """What is searched for a cell: all that decides which values are compared, and how."""
    assert grid.tune is not None
    return {
        "tuning_seed": grid.tune.seed,
        "folds_of_seed": tuned_on(grid, cell).seed,
        "points": points_of(grid, cell),
    }


def search_sha(grid: GridConfig, cell: Cell) -> str:
    """SHA-256 of what is searched for a cell."""
    return hashlib.sha256(json.dumps(search_of(grid, cell)).encode()).hexdigest()


def check_searches(grid: GridConfig) -> None:
    """Refuse a point that is no run, before anything is trained.

    Raises:
        MedflError: says which arm's search is wrong, and in what.
    """
    if grid.tune is None:
        return
    for cell in grid.cells():
        if cell.seed == grid.seeds[0]:
            algorithm = ALGORITHMS.load(grid.arm_settings[cell.arm]["algorithm"])
            for values in points_of(grid, cell):
                try:
                    config = grid.run_config(cell, values)
                    validated(config)
                    check_planned(config)
                    check_chain(config, algorithm, f"the run {cell}")
                except MedflError as error:
                    words = ", ".join(f"{key} {value}" for key, value in values.items())
                    raise MedflError(
                        f"arm `{cell.arm}`: the point {words} of its search is no run: {error}"
                    ) from error
