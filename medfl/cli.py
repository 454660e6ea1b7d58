"""The `medfl` command. Each step of the pipeline is one subcommand, so it also runs by hand."""

from __future__ import annotations

import argparse
import logging
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from medfl.errors import MedflError, naming

if TYPE_CHECKING:
    from medfl.config import FederatedConfig
    from medfl.grid import Cell, GridConfig

# What a command needs is imported in its function: `medfl split` starts without PyTorch.


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit status. Errors of use are one line on standard error."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(format="%(message)s", level=logging.WARNING, stream=sys.stderr)
    signal.signal(signal.SIGTERM, _terminate)
    try:
        return int(options.command(options) or 0)
    except MedflError as error:
        print(f"medfl: error: {error}", file=sys.stderr)
        return 2
    except OSError as error:  # a file that is a folder, is forbidden, or vanished under our hands
        where = f"{error.filename}: " if error.filename else ""
        print(f"medfl: error: {where}{error.strerror or error}.", file=sys.stderr)
        return 2
    except KeyboardInterrupt as stop:
        print("medfl: interrupted; the same command goes on where it stopped.", file=sys.stderr)
        return 128 + (signal.SIGTERM if isinstance(stop, _Terminated) else signal.SIGINT)


class _Terminated(KeyboardInterrupt):
    """The polite kill of a cluster or a workflow: what is half done is cleared away first."""


def _terminate(number: int, frame: FrameType | None) -> None:
    raise _Terminated


def _prepare(options: argparse.Namespace) -> None:
    from medfl.data.loader import prepare
    from medfl.data.store import Store

    store = Store.open(
        prepare(
            options.dataset,
            options.data_root,
            options.work_root,
            options.force,
            options.allow_partial,
            options.output_dir,
            options.size,
        )
    )
    shape = "×".join(map(str, store.images.shape[1:]))
    print(f"{store.path}: {len(store)} images of {shape}, {len(store.info.classes)} classes")


def _datasets(options: argparse.Namespace) -> None:
    from medfl.config import data_root
    from medfl.data.catalog.base import Places
    from medfl.data.catalog.overview import as_json, as_table, overview

    places = Places(data_root(options.data_root), Path(options.work_root))
    entries = overview(places)
    print(as_json(entries) if options.json else as_table(entries, places))


def _inspect(options: argparse.Namespace) -> None:
    from medfl.report.card.build import inspect

    folder = inspect(
        options.dataset,
        options.data_root,
        options.work_root,
        options.output_dir,
        sample=options.sample,
        seed=options.seed,
        allow_partial=options.allow_partial,
    )
    print(f"{folder / 'card.html'}: open it in a browser; card.png is one page of it")


def _original(options: argparse.Namespace) -> None:
    from medfl.data.own.original import originals
    from medfl.data.privacy import show_originals

    show_originals(
        lambda: originals(options.dataset, options.name, options.data_root, options.work_root)
    )


def _split(options: argparse.Namespace) -> None:
    from medfl.data.loader import entry_of, store_path
    from medfl.data.store import Store
    from medfl.partition.write import write_split

    split = write_split(
        Store.open(store_path(options.dataset, options.work_root)),
        options.partition,
        options.num_clients,
        options.seed,
        options.output,
        min_samples=options.min_samples,
        val_fraction=options.val_fraction,
        test_fraction=options.test_fraction,
        official_folds=options.official_folds,
        dataset=entry_of(options.dataset),
    )
    print(f"{options.output}: {len(split.samples)} samples, {split.num_clients} clients")


def _run(options: argparse.Namespace) -> None:
    from medfl.data.loader import store_path

    if (options.grid is None) == (options.config is None):
        raise MedflError("give --config RUN.yaml, or --grid GRID.yaml with the cell's names.")
    folder = Path(options.output_dir)
    if options.grid is not None:
        config, split_path, work_root = _grid_cell(options)
    else:
        config, split_path, work_root = _single_run(options), None, options.work_root
    if options.device is not None:
        config = config.with_device(options.device)

    # Before PyTorch is imported: which GPU is free.
    from medfl.gpu import take_slot

    take_slot(config.training.device)
    from medfl.federated.run import check_folder, execute

    check_folder(folder, config, options.overwrite)
    if split_path is None:
        split_path = _make_inputs(config, folder, options)
    metrics = execute(
        config,
        store_path(config.dataset, work_root),
        split_path,
        folder,
        overwrite=options.overwrite,
    )
    if metrics["status"] == "diverged":
        print(f"{folder}: diverged ({metrics['reason']})")
        return
    test = metrics["last"]["test"]
    print(
        f"{folder}: test accuracy {test['accuracy']:.3f}, balanced accuracy "
        f"{test['balanced_accuracy']:.3f} after {metrics['rounds']} rounds ({metrics['evaluated']})"
    )


def _grid_cell(options: argparse.Namespace) -> tuple[FederatedConfig, Path, str]:
    from medfl.config import did_you_mean
    from medfl.grid import Cell, read_grid

    grid = read_grid(options.grid)
    for key in ("dataset", "partition", "arm", "seed"):
        if getattr(options, key) is None:
            raise MedflError(f"--grid needs --{key} too: which run of the grid?")
    cell = Cell(options.dataset, options.partition, options.arm, options.seed)
    if cell not in grid.cells():
        hint = did_you_mean(str(cell), map(str, grid.cells()))
        raise MedflError(f"{options.grid} has no run {cell}{hint}")
    return grid.run_config(cell), grid.split_path(cell), grid.work_root


def _single_run(options: argparse.Namespace) -> FederatedConfig:
    """A run file, with every name in it checked before anything is prepared."""
    from medfl.algorithms.registry import check_params
    from medfl.config import FederatedConfig
    from medfl.data.catalog import parse_dataset
    from medfl.partition import parse_partition

    for name in ("dataset", "partition", "arm", "seed"):
        if getattr(options, name) is not None:
            raise MedflError(f"--{name} names a run of --grid; {options.config} says its own.")
    config = FederatedConfig.read(options.config)
    learning = config.federated_learning
    with naming(options.config):
        parse_dataset(config.dataset)
        parse_partition(config.partition)
        check_params(learning.algorithm, learning.algorithm_params, "algorithm_params")
    return config


def _make_inputs(config: FederatedConfig, folder: Path, options: argparse.Namespace) -> Path:
    """Prepare the data and the split of a single run, where they are not there yet."""
    from medfl.data.loader import entry_of, prepare
    from medfl.data.store import Store
    from medfl.partition import parse_partition
    from medfl.partition.write import write_split

    store = Store.open(
        prepare(
            config.dataset,
            options.data_root,
            options.work_root,
            allow_partial=options.allow_partial,
        )
    )
    path = folder / "split" / config.partition / f"seed{config.seed}.csv"
    clients = config.federated_learning.num_clients
    natural = parse_partition(config.partition).natural
    write_split(
        store,
        config.partition,
        None if natural else clients,
        config.seed,
        path,
        **config.split.model_dump(),
        dataset=entry_of(config.dataset),
    )
    return path


def _aggregate(options: argparse.Namespace) -> None:
    from medfl.grid import read_grid
    from medfl.report.build import aggregate

    grid = read_grid(options.grid)
    results = options.results or grid.output_dir
    aggregate(grid.cells(), results, partial=options.partial, settings=_settings(grid))
    print(f"{results}: summary.csv, metrics.json, tables/")


def _report(options: argparse.Namespace) -> None:
    from medfl.grid import read_grid
    from medfl.report.build import build_report, headline

    grid = read_grid(options.grid)
    folder = options.results or grid.output_dir
    results = build_report(
        grid.cells(),
        folder,
        splits_dir=grid.splits_dir,
        prepared_dir=Path(grid.work_root, "prepared"),
        configuration=_configuration(grid),
        settings=_settings(grid),
    )
    print(headline(results, folder))


def _settings(grid: GridConfig) -> dict[Cell, str]:
    return {cell: grid.run_config(cell).fingerprint() for cell in grid.cells()}


def _configuration(grid: GridConfig) -> dict[str, object]:
    return grid.model_dump(mode="json")


def _benchmark(options: argparse.Namespace) -> int:
    from medfl.launch import launch

    return launch(options)


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _numbers(text: str) -> list[int]:
    try:
        return [int(word) for word in _words(text)]
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not a list of whole numbers") from error


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="medfl",
        description="Benchmark federated learning on heterogeneous medical images.",
        epilog="The way of the data: prepare → split → run → aggregate → report. "
        "`medfl benchmark` does all of it.",
    )
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    def command(
        name: str, function: Callable[[argparse.Namespace], int | None], summary: str
    ) -> argparse.ArgumentParser:
        sub = commands.add_parser(
            name,
            help=summary,
            description=summary,
            formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        )
        sub.set_defaults(command=function)
        return sub

    sub = command("datasets", _datasets, "List the datasets, and what of them is on this disk.")
    sub.add_argument("--json", action="store_true", help="all that is known, for programs")
    _places(sub)

    sub = command("prepare", _prepare, "Read a dataset's raw files into a memory-mapped store.")
    sub.add_argument("dataset", help="phantom, ham10000 … or <name>-<pixels>, or a YAML file")
    sub.add_argument("--size", type=int, help="side of the square images, in pixels")
    sub.add_argument("--force", action="store_true", help="make it again if it is there")
    sub.add_argument("--output-dir", help="the store's folder; else <work-root>/prepared/<name>")
    _partial(sub)
    _places(sub)

    sub = command("inspect", _inspect, "Measure a dataset and write its card: an HTML page.")
    sub.add_argument("dataset", help="as for prepare, or a store's folder; prepared if need be")
    sub.add_argument("--output-dir", help="else <work-root>/cards/<name>")
    sub.add_argument("--sample", type=int, default=8, help="pictures of each class and site")
    sub.add_argument("--seed", type=int, default=0, help="which pictures are drawn")
    _partial(sub)
    _places(sub)

    sub = command("original", _original, "Show, in a terminal, which file a hidden name means.")
    sub.add_argument("dataset", help="your own, as for prepare")
    sub.add_argument("name", help="f-…, a path with such parts, s…-… or p…-…")
    _places(sub)

    sub = command("split", _split, "Deal a store's samples to clients and folds.")
    sub.add_argument("dataset")
    sub.add_argument(
        "--partition", required=True, help="iid, dirichlet-0.5, pathological-2, site …"
    )
    sub.add_argument("--seed", type=int, default=0, help="same seed, same split")
    sub.add_argument("--num-clients", type=int, help="left out for `site`: one client a site")
    sub.add_argument("--min-samples", type=int, default=2, help="training samples a client")
    sub.add_argument("--val-fraction", type=float, default=0.15, help="of all groups")
    sub.add_argument("--test-fraction", type=float, default=0.2, help="of all groups")
    sub.add_argument(
        "--official-folds",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="keep the folds that the dataset brings",
    )
    sub.add_argument("--output", required=True, help="the CSV file to write")
    sub.add_argument("--work-root", default="data", help="holds prepared/")

    sub = command("run", _run, "Train one federation and write its run folder.")
    sub.add_argument("--config", help="a run file with sections federated_learning, model, …")
    sub.add_argument("--grid", help="a params file; the run is named by the next four options")
    for name in ("dataset", "partition", "arm"):
        sub.add_argument(f"--{name}")
    sub.add_argument("--seed", type=int)
    sub.add_argument("--output-dir", required=True, help="the run folder to write")
    sub.add_argument("--overwrite", action="store_true", help="replace a run of other settings")
    sub.add_argument("--device", help="auto, cpu, cuda: instead of the configuration's")
    _partial(sub)
    _places(sub)

    sub = command("aggregate", _aggregate, "Gather a grid's runs into tables.")
    _grid_options(sub)
    sub.add_argument("--partial", action="store_true", help="show missing runs as missing")

    sub = command("report", _report, "Draw a grid's figures and write report.html.")
    _grid_options(sub)

    sub = command("benchmark", _benchmark, "Build a grid from words and run all of it.")
    sub.add_argument("--dataset", type=_words, default="phantom", help="comma-separated")
    sub.add_argument(
        "--algorithms",
        type=_words,
        default="centralized,local,fedavg,fedprox,fednova,scaffold,fedbn",
        help="arms of params/algorithms.yaml, or my_package.module:MyClass; comma-separated",
    )
    sub.add_argument("--num-clients", type=int, default=10, help="of partitions without sites")
    sub.add_argument("--alpha", type=_words, default="", help="Dirichlet alphas, comma-separated")
    sub.add_argument("--partition", type=_words, default="", help="scheme words, comma-separated")
    sub.add_argument("--seeds", type=_numbers, default="0", help="comma-separated")
    sub.add_argument("--rounds", type=int, default=20)
    sub.add_argument("--local-epochs", type=int, default=1)
    sub.add_argument("--clients-per-round", type=int)
    sub.add_argument("--model", default="cnn", help="cnn, resnet18, resnet50, densenet121 …")
    sub.add_argument("--batch-size", type=int, default=32)
    sub.add_argument("--learning-rate", type=float, default=0.05)
    sub.add_argument("--output-dir", default="results/benchmark", help="tables and report go here")
    sub.add_argument("--cores", default="all", help="processors to use")
    sub.add_argument("--profile", help="a Snakemake profile, such as workflow/profiles/slurm")
    sub.add_argument("--use-conda", action="store_true", help="run jobs in conda environments")
    sub.add_argument("--dry-run", action="store_true", help="only show what would run")
    _partial(sub)
    _places(sub)
    return parser


def _places(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data-root", help="raw data; else MEDFL_DATA, else data")
    parser.add_argument("--work-root", default="data", help="prepared stores go to its prepared/")


def _partial(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--allow-partial",
        action="store_true",
        help="take what is there of an incomplete dataset, and say how much is missing",
    )


def _grid_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--grid", default="params/default.yaml", help="the params file")
    parser.add_argument("--results", help="holds runs/; else the grid's output_dir")


if __name__ == "__main__":
    sys.exit(main())
