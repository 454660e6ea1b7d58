"""`medfl benchmark` makes a params file from options and runs its grid through Snakemake."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from medfl.algorithms.registry import ALGORITHMS
from medfl.arms.named import read_arms
from medfl.config import ARMS_FILE, DEFAULT_GRID, data_root, did_you_mean, validate
from medfl.datasets.base import Places
from medfl.datasets.described.listing import VARIABLE, is_path
from medfl.datasets.prepare import prepare
from medfl.datasets.registry import parse_dataset
from medfl.errors import MedflError
from medfl.federated.fingerprint import differences
from medfl.files import read_yaml, write_yaml
from medfl.files.parallel import cpu_count
from medfl.files.regular import read_text
from medfl.grid import GridConfig, load_grid, read_grid
from medfl.grid.sites import known_sites
from medfl.partition.scheme import EACH_SITE
from medfl.pipeline.board import Board
from medfl.pipeline.fixed import fix
from medfl.pipeline.needs import without_conda, without_images
from medfl.pipeline.planned import planned_runs
from medfl.pipeline.status import TOLD
from medfl.pipeline.time_left import cost, probe_kinds
from medfl.pipeline.workflow import Workflow
from medfl.results.paths import KEYS, LOGS
from medfl.stopping import held

ROOT = Path(__file__).resolve().parents[2]
BENCHMARK = "benchmark.yaml"  # the grid that options have made, in the folder of its results


def launch(options: argparse.Namespace) -> int:
    """Write ``<output-dir>/benchmark.yaml``, run it, and return Snakemake's exit status.

    It is an ordinary params file. The same command again runs only what is new. Nothing is written
    where another grid is at work or lies there (``MedflError``), or where it is only to be shown
    what would run.
    """
    if not (ROOT / "Snakefile").exists():
        raise MedflError(
            f"{ROOT} holds no Snakefile: `medfl benchmark` runs from a checkout of medfl "
            "(install it with `pip install -e .`)."
        )
    if options.profile:
        _check_profile(options.profile)
    if options.use_conda and (reason := without_conda()):
        raise MedflError(reason)
    described = _name_described(options)
    content = build_grid(options)
    makes = not (options.dry_run or options.unlock)
    if EACH_SITE in content["partitions"] and makes:
        _prepare_for_sites(options)
    grid = load_grid(content, "the benchmark")
    file = Path(options.output_dir, BENCHMARK)
    if not options.overwrite:
        check_earlier(file, grid)
    path, start = fix(grid), None
    if not options.dry_run:
        start = Workflow.open([path], {}).start()
    if makes:
        path = file
        schema = os.path.relpath(ROOT / "schemas" / "grid.json", path.parent)
        write_yaml(path, content, first_line=f"# yaml-language-server: $schema={schema}")
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile")]
    command += ["--configfile", str(path), "--cores", str(options.cores)]
    command += ["--use-conda"] if options.use_conda else []
    command += ["--dry-run"] if options.dry_run else []
    command += ["--unlock"] if options.unlock else []
    command += ["--profile", options.profile] if options.profile else []
    # Only progress and failures are shown; `snakemake` by hand shows everything.
    command += ["--keep-going", "--rerun-incomplete", "--quiet", "rules", "reason", "host"]
    # The Snakefile must find medfl, also where this command is started in another folder.
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), VARIABLE: described}
    environment |= start.environment if start else {TOLD: "afterwards"}
    locks = start.locks if start else ()
    process: subprocess.Popen[bytes] | None = None
    try:
        with held():  # a signal before the process is known would leave it to itself
            process = subprocess.Popen(command, env=environment, pass_fds=locks)
        status = process.wait()
    except KeyboardInterrupt as stop:
        if process is not None:
            _end(process)
        stop.add_note("the same command goes on with the runs that are left")
        raise
    finally:
        if start:
            start.leave()
    if not status and makes:
        print(read_text(Path(options.output_dir, LOGS, "report.log")))
    if not status and options.dry_run:
        for absent in without_images(grid):
            print(f"medfl: {absent}", file=sys.stderr)
        _tell_cost(grid, options.cores)
    if not status and options.unlock:
        print("no lock of Snakemake's is left: give the same command again, without --unlock.")
    return status


def _check_profile(word: str) -> None:
    """Refuse a file that is no profile: Snakemake would print all of its options."""
    file = Path(word)
    if file.is_file() and not isinstance(read_yaml(file), dict):
        raise MedflError(
            f"--profile {word} holds no settings by name, such as `executor: slurm`: name a "
            "folder with a profile, such as workflow/profiles/slurm."
        )


def _tell_cost(grid: GridConfig, asked: str) -> None:
    """Say how long it takes, also where no run of an arm has begun: a few short rounds tell."""
    states = Board(planned_runs(grid, grid.output_dir), Path(grid.output_dir)).look()
    cores = cpu_count() if asked == "all" else int(asked)
    words = cost(states, cores, probe_kinds(grid, states))
    print(f"medfl: {words}." if words else "medfl: all runs are done.")


def _end(process: subprocess.Popen[bytes]) -> None:
    """End Snakemake and its jobs, which write their checkpoints, and wait until it has unlocked.

    By itself it begins no further job after SIGTERM, but waits for those that run.
    """
    import psutil  # Snakemake needs it, too

    process.terminate()
    with suppress(psutil.Error):
        for job in psutil.Process(process.pid).children(recursive=True):
            with suppress(psutil.Error, ProcessLookupError):
                # What started a command lets it end; what helps a run has a session of its own.
                session = os.getsid(job.pid)
                if not any(os.getsid(one.pid) == session for one in job.children()):
                    job.terminate()
    process.wait()


def check_earlier(file: Path, grid: GridConfig) -> None:
    """Refuse to put a grid in the place of another one, whose tables and runs would be replaced.

    More datasets, partitions, arms and seeds of the same settings are no other grid.

    Args:
        file: the params file of an earlier benchmark, if there was one.
        grid: the benchmark that shall take its place.

    Raises:
        MedflError: it is of other settings, or has what this one leaves out.
    """
    if not file.exists():
        return
    mend = "Choose another --output-dir, or replace it with --overwrite."
    try:
        old = read_grid(file)
    except MedflError as error:
        raise MedflError(f"{file} is no grid that can be read: {error} {mend}") from error
    found = []
    for name, key in zip(KEYS, ("datasets", "every_partition", "arms", "seeds"), strict=True):
        left_out = [str(one) for one in getattr(old, key) if one not in getattr(grid, key)]
        found += [f"{name}s: {', '.join(left_out)} left out"] if left_out else []
    found += ["tune"] if old.tune != grid.tune else []
    same = [cell for cell in old.cells() if cell in set(grid.cells())]
    for cell in same:
        if cell.seed == same[0].seed:
            found += differences(old.run_config(cell), grid.run_config(cell))
    if found:
        some = "; ".join(list(dict.fromkeys(found))[:4])
        raise MedflError(f"{file} is of another benchmark ({some}). {mend}")


def _prepare_for_sites(options: argparse.Namespace) -> None:
    """Prepare the datasets whose sites nobody knows before, as a partition is made for each."""
    places = Places(data_root(options.data_root), Path(options.work_root))
    for dataset in options.dataset:
        if known_sites(dataset, places) is None:
            prepare(
                dataset, options.data_root, options.work_root, allow_partial=options.allow_partial
            )


def _name_described(options: argparse.Namespace) -> str:
    """Replace paths of descriptions (``hospital.yaml``) by their names.

    Returns:
        The paths of all descriptions, for the environment of the jobs, which look names up there.
    """
    paths = [str(Path(word).resolve()) for word in options.dataset if is_path(word)]
    known = os.environ.get(VARIABLE, "")
    os.environ[VARIABLE] = os.pathsep.join(filter(None, [known, *paths]))
    options.dataset = [parse_dataset(word).word for word in options.dataset]
    return os.environ[VARIABLE]


def build_grid(options: argparse.Namespace) -> dict[str, Any]:
    """The content of a params file, with the arms in it, from the options of a benchmark.

    Arms and partitions that the options leave out are those of the checkout's default grid.
    """
    usual = validate(GridConfig, read_yaml(ROOT / DEFAULT_GRID), DEFAULT_GRID)
    partitions = [*options.partition, *(f"dirichlet-{alpha}" for alpha in options.alpha)]
    algorithms = options.algorithms or usual.arms
    return {
        "data_root": options.data_root,
        "work_root": options.work_root,
        "allow_partial": options.allow_partial,
        "splits_dir": str(Path(options.output_dir, "splits")),
        "output_dir": options.output_dir,
        "arms_file": None,
        "datasets": options.dataset,
        "partitions": partitions or usual.partitions,
        "arms": [arm_name(word) for word in algorithms],
        "seeds": options.seeds,
        "num_clients": options.num_clients,
        "primary": options.primary,
        **({"tune": {"points": options.tune}} if options.tune is not None else {}),
        "run": {
            "federated_learning": {
                "rounds": options.rounds,
                "local_epochs": options.local_epochs,
                "clients_per_round": options.clients_per_round,
            },
            "model": {"name": options.model},
            "training": {
                "batch_size": options.batch_size,
                "learning_rate": options.learning_rate,
            },
        },
        "arm_settings": {arm_name(word): _arm(word) for word in algorithms},
    }


def arms_file() -> Path:
    """The file of the named arms: of the folder where the command is called, or the checkout's."""
    local = Path(ARMS_FILE)
    return local if local.exists() else ROOT / local


def arm_name(word: str) -> str:
    """The name of an arm in tables and folders; a user's own algorithm goes by its class."""
    return word.rsplit(":", 1)[-1]


def _arm(word: str) -> dict[str, Any]:
    if ":" in word:
        return {"algorithm": word}
    arms = read_arms(arms_file())
    if word in arms:
        return arms[word]
    if word in ALGORITHMS:
        return {"algorithm": word}
    raise MedflError(f"unknown algorithm `{word}`{did_you_mean(word, arms)}")
