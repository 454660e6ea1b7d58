"""Fixes what a grid is when it starts: no edit of a file reaches its jobs any more.

The grid with its arms, the descriptions of its datasets, and which code its runs are of, go to a
folder that is named by their content. Jobs read them there, on whichever machine they run.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import yaml

from medfl.config import FederatedConfig
from medfl.datasets.described.fixed import COPIES, copy_name
from medfl.datasets.described.listing import descriptions
from medfl.datasets.registry import parse_dataset
from medfl.errors import MedflError
from medfl.federated.code import run_code
from medfl.files import atomic_path, read_json
from medfl.files.regular import read_bytes
from medfl.grid import Cell, GridConfig
from medfl.grid.shared import runs_of

FOLDER = Path(".snakemake", "medfl")
GRID, CODE = "grid.yaml", "code.json"


def fix(grid: GridConfig) -> Path:
    """Write the grid, the descriptions and the codes of its runs; return the grid's file."""
    content = grid.model_copy(update={"arms_file": None}).model_dump(mode="json")
    code = {
        _key(cell): run_code(grid.run_config(cell)).identity
        for cell in dict.fromkeys(runs_of(grid).values())
        if cell.seed == grid.seeds[0]
    }
    files = {
        GRID: yaml.safe_dump(content, sort_keys=False, allow_unicode=True).encode(),
        CODE: json.dumps(code, indent=2).encode(),
    }
    described = descriptions()
    for word in grid.datasets:
        for path in described.get(parse_dataset(word).dataset.name, []):
            files[f"{COPIES}/{copy_name(path)}"] = read_bytes(path)
    digest = hashlib.sha256()
    for name, one in files.items():
        digest.update(f"{name} {len(one)}\n".encode() + one)
    folder = FOLDER / digest.hexdigest()[:16]
    if not folder.is_dir():
        with atomic_path(folder) as made:
            for name, one in files.items():
                (made / name).parent.mkdir(parents=True, exist_ok=True)
                (made / name).write_bytes(one)
    return folder / GRID


def is_fixed(grid_file: Path) -> bool:
    """Whether a start of the workflow has fixed this grid: then it has decided what is made."""
    return grid_file.name == GRID and grid_file.with_name(CODE).is_file()


def check_code(grid_file: Path, cell: Cell, config: FederatedConfig) -> None:
    """Refuse a run whose code was edited since its grid was started.

    The grid would mix runs of two codes. A grid that no start has fixed says nothing of code.

    Raises:
        MedflError: the code is another than when the grid was started.
    """
    if not is_fixed(grid_file):
        return
    planned = read_json(grid_file.with_name(CODE)).get(_key(cell))
    now = run_code(config).identity
    if planned not in (None, now):
        raise MedflError(
            f"the code of arm `{cell.arm}` was edited while its grid was running ({planned}, now "
            f"{now}): put it back, or let the grid end and start it again with the new code."
        )


def _key(cell: Cell) -> str:
    return f"{cell.dataset}/{cell.partition}/{cell.arm}"
