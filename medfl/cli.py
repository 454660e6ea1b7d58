"""The `medfl` command. Each step of the pipeline is one subcommand, so it also runs by hand."""

from __future__ import annotations

import argparse
import logging
import signal
import sys
from collections.abc import Callable, Sequence
from types import FrameType

from medfl import __version__
from medfl.commands import data, results, run
from medfl.errors import MedflError


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
    parser.add_argument("--version", action="version", version=f"medfl {__version__}")
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

    sub = command("datasets", data.datasets, "List the datasets, and what of them is on this disk.")
    sub.add_argument("--json", action="store_true", help="all that is known, for programs")
    _places(sub)

    sub = command("prepare", data.prepare, "Read a dataset's raw files into a memory-mapped store.")
    sub.add_argument("dataset", help="phantom, ham10000 … or <name>-<pixels>, or a YAML file")
    sub.add_argument("--size", type=int, help="side of the square images, in pixels")
    sub.add_argument("--force", action="store_true", help="make it again if it is there")
    sub.add_argument("--output-dir", help="the store's folder; else <work-root>/prepared/<name>")
    _partial(sub)
    _places(sub)

    sub = command("inspect", data.inspect, "Measure a dataset and write its card: an HTML page.")
    sub.add_argument("dataset", help="as for prepare, or a store's folder; prepared if need be")
    sub.add_argument("--output-dir", help="else <work-root>/cards/<name>")
    sub.add_argument("--sample", type=int, default=8, help="pictures of each class and site")
    sub.add_argument("--seed", type=int, default=0, help="which pictures are drawn")
    _partial(sub)
    _places(sub)

    sub = command("original", data.original, "Show, in a terminal, which file a hidden name means.")
    sub.add_argument("dataset", help="your own, as for prepare")
    sub.add_argument("name", help="f-…, a path with such parts, s…-… or p…-…")
    _places(sub)

    sub = command("split", data.split, "Deal a store's samples to clients and folds.")
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

    sub = command("run", run.run, "Train one federation and write its run folder.")
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

    sub = command("aggregate", results.aggregate, "Gather a grid's runs into tables.")
    _grid_options(sub)
    sub.add_argument("--partial", action="store_true", help="show missing runs as missing")

    sub = command("report", results.report, "Draw a grid's figures and write report.html.")
    _grid_options(sub)

    sub = command("benchmark", run.benchmark, "Build a grid from words and run all of it.")
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
