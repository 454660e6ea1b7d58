# What happens once, before any job: this start is let in or refused.

import functools
import sys
import tempfile
import threading
from pathlib import Path

from snakemake.io import IOFile
from snakemake.logging import logger

from medfl import warm
from medfl.pipeline.board import Board
from medfl.pipeline.failed import Failures, partial_command
from medfl.pipeline.needs import without_conda
from medfl.pipeline.status import TOLD, tell_now_and_then
from medfl.pipeline.time_left import cost

if workflow.is_main_process and without_conda():
    if any(str(method) == "conda" for method in workflow.deployment_settings.deployment_method):
        sys.exit(f"medfl: error: {without_conda()}")

FAILURES = Failures(Path(GRID.output_dir, paths.LOGS))
if workflow.is_main_process:
    logger.addFilter(FAILURES)


onerror:
    FAILURES.tell(partial_command(GRID.output_dir, NAMED, FLOW.file, SETTINGS.config))


def description(wildcards):
    """The description of a dataset. As every target leads to a dataset, the start is made here."""
    begin()
    return FLOW.description(wildcards)


@functools.cache
def begin():
    """Let this start in before anything is touched, or refuse it; once, and not in a dry run."""
    if not workflow.is_main_process:
        return
    for line in FLOW.notes:
        print(f"medfl: {line}.", file=sys.stderr)
    if workflow.executor_plugin is not None and not workflow.dryrun:
        try:
            start = FLOW.start()
        except MedflError as error:
            # Snakemake would put its own words around it.
            sys.exit(f"medfl: error: {on_one_line(error)}")
        if workflow.local_exec:
            begin_warm()
        # DVC's stages ask for these folders, also where all splits are given.
        for dataset in GRID.datasets:
            Path(GRID.splits_dir, dataset).mkdir(parents=True, exist_ok=True)
        locks = Path(workflow.persistence.path, "locks")
        for lock in start.left_locks(locks, Path(GRID.output_dir)):
            lock.unlink(missing_ok=True)
    board = Board(FLOW.planned(), Path(GRID.output_dir))
    words = cost(board.look(), workflow.resource_settings.cores)  # none on a cluster
    if words and TOLD not in os.environ:
        print(f"medfl: {words}.", file=sys.stderr)
    if workflow.executor_plugin is not None and not workflow.dryrun:
        threading.Thread(target=tell_now_and_then, args=(board,), daemon=True).start()
    # Tables of which Snakemake has no record may be those of other settings; they take seconds.
    for path in (f"{GRID.output_dir}/{name}" for name in (paths.SUMMARY, paths.REPORT)):
        if workflow.persistence.metadata(IOFile(path)) is None:
            workflow.dag.forcefiles.add(path)


def begin_warm():
    """Have jobs on this machine forked from a process that has imported all; see docs/pipeline.md."""
    os.environ.update(warm.offer())
    methods = workflow.deployment_settings.deployment_method  # such as conda: not this environment
    missing = any(not Path(run).exists() for run in FLOW.runs)
    if os.environ[warm.VARIABLE] != warm.OFF and missing and not methods:
        # It imports while Snakemake plans, and serves jobs of its own environment: that of a shell.
        command = "medfl warm > /dev/null 2>&1 || true"
        given = {"resources": {"tmpdir": tempfile.gettempdir()}}
        threading.Thread(target=shell, args=(command,), kwargs=given).start()
    # Snakemake counts starts for clusters. Every job then makes it look at all the others once more
    # each second until the end, and its own end wait for the last of these seconds.
    workflow.scheduling_settings.max_jobs_per_timespan = None


def split_file(wildcards):
    """The split of a run. A finished run of other settings or code is made again."""
    if workflow.is_main_process and FLOW.is_stale(wildcards):
        workflow.dag.forcefiles.add(FLOW.record(wildcards))
    return FLOW.split_file(wildcards)


def split_of_point(wildcards):
    """The split of a point of a search. A finished one of other settings or code is made again."""
    if workflow.is_main_process and FLOW.point_is_stale(wildcards):
        workflow.dag.forcefiles.add(FLOW.point(wildcards))
    return FLOW.split_file(wildcards)


def points_of_search(wildcards):
    """The points among which is chosen. A choice in another search than this is made again."""
    if workflow.is_main_process and FLOW.choice_is_stale(wildcards):
        workflow.dag.forcefiles.update(FLOW.chosen_values(wildcards))
    return FLOW.points(wildcards)
