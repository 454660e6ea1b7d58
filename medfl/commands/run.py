"""`run` trains one federation of a run file or a grid; `benchmark` runs a grid made of options."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medfl.errors import MedflError, naming

if TYPE_CHECKING:
    from medfl.config import FederatedConfig
    from medfl.federated.tuned import Tuning
    from medfl.grid import Cell, GridConfig


def run(options: argparse.Namespace) -> None:
    """Train one federation and write its run folder."""
    from medfl.datasets.place import store_path
    from medfl.files import locked
    from medfl.pipeline.fixed import is_fixed

    if (options.grid is None) == (options.config is None):
        raise MedflError("give --config RUN.yaml, or --grid GRID.yaml with the cell's names.")
    folder = Path(options.output_dir)
    tuning, overwrite = None, options.overwrite
    if options.grid is not None:
        overwrite |= is_fixed(Path(options.grid))
        config, tuning, split_path, work_root = _grid_cell(options)
    else:
        config, split_path, work_root = _single_run(options), None, options.work_root
    if options.device is not None:
        config = config.with_device(options.device)

    # It sets CUDA_VISIBLE_DEVICES, so it comes before PyTorch is imported.
    from medfl.gpu import take_slot

    take_slot(config.training.device)
    from medfl.federated.run import execute
    from medfl.federated.run_folder import check_folder

    check_folder(folder, config, overwrite)
    busy = f"{folder} is being trained by another process: wait until it has ended."
    with locked(folder, busy):
        if split_path is None:
            split_path = _make_inputs(config, folder, options)
        metrics = execute(
            config,
            store_path(config.dataset, work_root),
            split_path,
            folder,
            overwrite=overwrite,
            cores=None if options.cores == "all" else int(options.cores),
            tuning=tuning,
        )
    if metrics["status"] == "diverged":
        print(f"{folder}: diverged ({metrics['reason']})")
        return
    refused = metrics.get("refused", {})
    note = ""
    if refused:
        count = sum(map(len, refused.values()))
        whose = f"client{'s' * (len(refused) > 1)} {', '.join(refused)}"
        note = f"; not finite and left out: {count} update{'s' * (count > 1)} of {whose}"
    print(f"{folder}: {_result(metrics)} after {metrics['rounds']} rounds{note}")


def _result(metrics: dict[str, Any]) -> str:
    """The primary metric on test samples for each question, beside what no image gives."""
    primary, last, without = metrics["primary"], metrics["last"], metrics["without_images"]
    apart = metrics["evaluated"] != "global"
    parts = [("test ", last["test"], without["everyone"])]
    if apart:
        parts = [("own patients: ", last["test"], without["own"])]
    if apart and last["everyone"]:
        parts.append(("for everyone: ", last["everyone"], without["everyone"]))
    words = primary.replace("_", " ")
    return ", ".join(
        f"{name}{words} {_number(found[primary])} (no image {_number(chance[primary])}), "
        f"accuracy {_number(found['accuracy'])}"
        for name, found, chance in parts
    )


def _number(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.3f}"


def run_options(parser: argparse.ArgumentParser) -> None:
    """Options of `medfl run`."""
    from medfl.commands import options
    from medfl.commands.words import file, processors, whole_number

    words = "a run file with sections federated_learning, model, …"
    parser.add_argument("--config", type=file, help=words)
    words = "a params file; the run is named by the next four options"
    parser.add_argument("--grid", type=file, help=words)
    options.cell(parser)
    words = "a split's table, used as it is, and never written to"
    parser.add_argument("--split", type=file, help=words)
    words = "train this point of the search for the run's values, from 1 on, in the run's place"
    parser.add_argument("--point", type=whole_number, help=words)
    words = "the values chosen for the run, where the grid is tuned; else those in its results"
    parser.add_argument("--chosen", type=file, metavar="FILE", help=words)
    options.output_dir(parser, "the run folder to write", required=True)
    parser.add_argument("--overwrite", action="store_true", help="replace a run of other settings")
    parser.add_argument("--device", help="auto, cpu, cuda: instead of the configuration's")
    parser.add_argument(
        "--cores",
        type=processors,
        default="all",
        help="processors to use; all: those that its job may",
    )
    options.partial(parser)
    options.places(parser)


def benchmark(options: argparse.Namespace) -> int:
    """Build a grid from the options and run all of it; Snakemake's exit status."""
    from medfl.pipeline.launch import launch

    return launch(options)


def benchmark_options(parser: argparse.ArgumentParser) -> None:
    """Options of `medfl benchmark`."""
    from medfl.commands import options
    from medfl.commands.examples import names
    from medfl.commands.words import file, processors, whole_number, whole_numbers, words
    from medfl.config import ARMS_FILE, DEFAULT_GRID, DEFAULTS, OUTPUT_DIR

    add = parser.add_argument
    add("--dataset", type=words, default=DEFAULTS.dataset, help="comma-separated")
    add(
        "--algorithms",
        type=words,
        default=[],
        help=f"arms of {ARMS_FILE}, or my_package.module:MyClass; comma-separated; else the arms "
        f"of {DEFAULT_GRID}",
    )
    learning = "federated_learning"
    parser.epilog = f"{parser.epilog}\n\n{names()}"
    options.setting(parser, f"{learning}.num_clients", help="clients of partitions without sites")
    add("--alpha", type=words, default=[], help="Dirichlet alphas, comma-separated")
    add(
        "--partition",
        type=words,
        default=[],
        help=f"partitions' words, comma-separated; else, without --alpha, those of {DEFAULT_GRID}",
    )
    seeds = "comma-separated, or a range such as 0-4"
    add("--seeds", type=whole_numbers, default=str(DEFAULTS.seed), help=seeds)
    options.setting(parser, f"{learning}.rounds")
    epochs = DEFAULTS.federated_learning.default_epochs
    options.setting(
        parser, f"{learning}.local_epochs", default=epochs, help="passes over a client's data"
    )
    options.setting(parser, f"{learning}.clients_per_round")
    options.setting(parser, "model.name", "--model")
    options.setting(parser, "primary")
    options.setting(parser, "training.batch_size")
    options.setting(parser, "training.learning_rate")
    tuned = "tune every arm, each with this many points of its search space (docs/tuning.md)"
    add("--tune", type=whole_number, metavar="POINTS", help=tuned)
    options.output_dir(parser, "tables and report go here", default=f"{OUTPUT_DIR}/benchmark")
    add("--cores", type=processors, default="all", help="processors to use")
    add("--profile", type=file, help="a Snakemake profile, such as workflow/profiles/slurm")
    add("--use-conda", action="store_true", help="run jobs in conda environments")
    only = parser.add_mutually_exclusive_group().add_argument
    only("--dry-run", action="store_true", help="only show what would run, and write nothing")
    add("--overwrite", action="store_true", help="replace a benchmark of other settings")
    unlock = "take away locks of Snakemake's that a killed start has left, and run nothing"
    only("--unlock", action="store_true", help=unlock)
    options.partial(parser)
    options.places(parser)


def _grid_cell(options: argparse.Namespace) -> tuple[FederatedConfig, Tuning | None, Path, str]:
    from medfl.commands.options import grid_cell, tell
    from medfl.partition.given import announce
    from medfl.pipeline.fixed import check_code

    grid, cell = grid_cell(options)
    config, tuning = _with_values(grid, cell, options)
    check_code(Path(options.grid), cell, config)
    if options.split:
        return config, tuning, Path(options.split), grid.work_root
    chosen = grid.split(cell)
    tell(announce([chosen]))
    return config, tuning, chosen.path, grid.work_root


def _with_values(
    grid: GridConfig, cell: Cell, options: argparse.Namespace
) -> tuple[FederatedConfig, Tuning | None]:
    """The run with its chosen values; or a point of the search for them, where one is named."""
    from medfl.tuning.choose import check_test_samples, tuned_run
    from medfl.tuning.search import point_config, points_of

    if grid.tune is None and (options.point or options.chosen):
        raise MedflError(
            f"--point and --chosen are of a grid with `tune`; {options.grid} has none."
        )
    if options.point is None or grid.tune is None:
        return tuned_run(grid, cell, options.chosen)
    if not 1 <= options.point <= grid.tune.points:
        raise MedflError(f"--point is 1 to {grid.tune.points}, as many as tune.points says.")
    check_test_samples(grid, cell, yet=True)
    return point_config(grid, cell, points_of(grid, cell)[options.point - 1]), None


def _single_run(options: argparse.Namespace) -> FederatedConfig:
    """Read a run file, and check every name in it before anything is prepared."""
    from medfl.algorithms.precision import check_planned
    from medfl.algorithms.registry import ALGORITHMS
    from medfl.chain import check_chain
    from medfl.config import FederatedConfig
    from medfl.datasets.registry import parse_dataset
    from medfl.models.registry import check_model
    from medfl.partition import parse_partition
    from medfl.results.paths import KEYS

    for name in (*KEYS, "point", "chosen"):
        if getattr(options, name) is not None:
            raise MedflError(f"--{name} names a run of --grid; {options.config} says its own.")
    config = FederatedConfig.read(options.config)
    learning = config.federated_learning
    with naming(options.config):
        parse_dataset(config.dataset)
        partition = parse_partition(config.partition).word
        params = learning.algorithm_params
        ALGORITHMS.check_params(learning.algorithm, params, "algorithm_params")
        ALGORITHMS.create(learning.algorithm, params)
        check_model(config.model.name, config.model.params, "model.params")
        check_chain(config, ALGORITHMS.load(learning.algorithm), "chain")
        check_planned(config)
    given = options.split or config.split_file
    return config.model_copy(update={"partition": partition, "split_file": given})


def _make_inputs(config: FederatedConfig, folder: Path, options: argparse.Namespace) -> Path:
    """Prepare the data of a single run where they are missing; make its split or take one."""
    from medfl.datasets.place import entry_of
    from medfl.datasets.prepare import prepare
    from medfl.disclosure.published_sets import minimum_cell
    from medfl.partition import parse_partition
    from medfl.partition.write import write_split
    from medfl.store import Store

    store = Store.open(
        prepare(
            config.dataset,
            options.data_root,
            options.work_root,
            allow_partial=options.allow_partial,
        )
    )
    if config.split_file:
        return Path(config.split_file)
    path = folder / "split" / config.partition / f"seed{config.folds_seed}.csv"
    clients = config.federated_learning.num_clients
    natural = parse_partition(config.partition).natural
    split = write_split(
        store,
        config.partition,
        None if natural else clients,
        config.folds_seed,
        path,
        minimum_cell=minimum_cell(config.dataset, config.report.minimum_cell),
        **config.split.model_dump(),
        dataset=entry_of(config.dataset),
    )
    for line in split.divided.warnings():
        print(f"medfl: warning: {line}", file=sys.stderr)
    return path
