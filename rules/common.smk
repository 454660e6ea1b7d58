# The validated grid, and what the rules ask of it.

import functools
import hashlib
import os
import sys
from pathlib import Path

import yaml
from snakemake.exceptions import WorkflowError

from medfl.config import data_root
from medfl.datasets.base import Places
from medfl.datasets.code import dataset_sha
from medfl.datasets.edited import stamp
from medfl.datasets.prepare import store_path
from medfl.datasets.registry import parse_dataset
from medfl.errors import MedflError
from medfl.federated.code import run_code
from medfl.federated.fingerprint import fingerprint
from medfl.files import read_yaml, write_text
from medfl.gpu import jobs_per_gpu, visible_gpus
from medfl.grid import Cell, load_grid
from medfl.partition.code import split_code
from medfl.partition.place import dealing
from medfl.results import paths
from medfl.sources import source_sha


def read_grid():
    """The grid, and the file to name to the commands."""
    files = workflow.overwrite_configfiles or workflow.configfiles
    if len(files) > 1:
        raise MedflError("--configfile: name one grid; several would be merged key by key.")
    read_yaml(files[0])  # refuses a key that stands twice, which Snakemake's reader lets pass
    checked = load_grid(config, str(files[0]))
    if not workflow.config_settings.config:
        return checked, files[0]
    # `--config seeds=[3]` on top: the commands read the result from a file of its own.
    text = yaml.safe_dump(checked.model_dump(mode="json"), sort_keys=False)
    scratch = Path(".snakemake", f"grid-{hashlib.sha256(text.encode()).hexdigest()[:16]}.yaml")
    write_text(scratch, text)
    return checked, scratch


def described(dataset):
    store, file = store_path(dataset, GRID.work_root), Path(".snakemake", "described", dataset)
    return stamp(store, parse_dataset(dataset).dataset, PLACES, file)


try:
    GRID, GRID_FILE = read_grid()
    PLACES = Places(data_root(GRID.data_root), Path(GRID.work_root))
    # One's own data: files that are newer than a store whose description was edited since.
    DESCRIBED = {
        dataset: str(file) for dataset in GRID.datasets if (file := described(dataset)) is not None
    }
    GPU_SLOTS = len(visible_gpus()) * jobs_per_gpu()
except MedflError as error:
    raise WorkflowError(str(error))

CELLS = GRID.cells()
STORES = [f"{GRID.work_root}/prepared/{dataset}/dataset.yaml" for dataset in GRID.datasets]
SPLITS = sorted({str(GRID.split_path(cell)) for cell in CELLS})
RUNS = [str(cell.folder(GRID.output_dir) / paths.RECORD) for cell in CELLS]

# An output that only some runs have cannot be promised.
KEEPS_PREDICTIONS = all(
    GRID.run_config(cell).keep.predictions for cell in CELLS if cell.seed == GRID.seeds[0]
)

# Read by the commands' shells. The grid's file is named here, not in `params`: which file a run's
# settings stand in changes nothing. Where no environment is activated, the commands beside this
# interpreter are still found, last.
os.environ.update(
    PATH=os.pathsep.join([os.environ.get("PATH", os.defpath), str(Path(sys.executable).parent)]),
    MEDFL_GRID=str(GRID_FILE),
    MEDFL_SOURCE=str(workflow.basedir),
)


def grid_names():
    """The order of rows and columns in tables."""
    return [GRID.datasets, GRID.partitions, GRID.arms, GRID.seeds]


@functools.cache
def cell_config(*cell):
    return GRID.run_config(Cell(*cell))


def run_config(wildcards):
    return cell_config(wildcards.dataset, wildcards.partition, wildcards.arm, int(wildcards.seed))


def prepare_options():
    root = ["--data-root", GRID.data_root] if GRID.data_root else []
    partial = ["--allow-partial"] if GRID.allow_partial else []
    return [*root, "--work-root", GRID.work_root, *partial]


def split_file(wildcards):
    cell = Cell(wildcards.dataset, wildcards.partition, wildcards.arm, int(wildcards.seed))
    return str(GRID.split_path(cell))


def clients_option(wildcards):
    number = GRID.clients(wildcards.dataset, wildcards.partition)
    dealt = dealing(number, GRID.split_config())
    if wildcards.dealing != dealt:
        raise WorkflowError(
            f"this grid deals {wildcards.dataset}/{wildcards.partition} as {dealt}, not as "
            f"{wildcards.dealing}: name a grid that does with --configfile."
        )
    return "" if number is None else f"--num-clients {number}"


def folds_options():
    settings = GRID.split_config().model_dump()
    official = [] if settings.pop("official_folds") else ["--no-official-folds"]
    options = [f"--{name.replace('_', '-')} {value}" for name, value in settings.items()]
    return " ".join(options + official)
