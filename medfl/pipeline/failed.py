"""The end of each failed job's log, in place of what Snakemake says of its shell."""

from __future__ import annotations

import logging
import os
import re
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medfl.config import DEFAULT_GRID
from medfl.files.regular import regular
from medfl.pipeline.at_work import STARTED
from medfl.results.paths import finished_runs

STEPS = {
    "prepare": "the preparation of",
    "split": "the split",
    "tune": "the point of a search",
    "choose": "the choice for",
    "train": "the run",
}
"""The folders of logs, and what their jobs are called."""

LINES, WIDTH, READ = 8, 300, 8000  # what is shown of a log, and how many bytes of it are read
WORDS = 2000  # of the last line, which says what to do
FEW = 10  # so many are named one by one
STOPPED = "medfl: interrupted;"  # begins the last line of a command that a signal has ended
ASKED = ("SIGTERM", "SIGINT", "SIGHUP")
"""Signals by which a start is stopped. Sent to all of its processes at once, as by `timeout` or a
scheduler, they end a job's shell before the job has said its last line."""
_SHELL = re.compile(r"CalledProcessError")
_STATUS = re.compile(r"non-zero exit status (\d+)|died with <Signals\.(\w+)")
_BAR = re.compile(r"\d%\|.*\|")  # of progress
_LAST = "At least one job did not complete successfully."


@dataclass(frozen=True)
class Failed:
    """A job that failed.

    Attributes:
        log: the file of what it said; None where it has none.
        rule: its rule.
        killed: the signal that ended it, such as ``SIGKILL``; empty where none did.
    """

    log: Path | None
    rule: str
    killed: str = ""

    def name(self, logs: Path) -> str:
        """What it is called, such as ``the run phantom/iid/fedavg/seed0``."""
        try:
            parts = self.log.relative_to(logs).with_suffix("").parts if self.log else ()
        except ValueError:
            parts = ()
        if len(parts) < 2 or parts[0] not in STEPS:
            return f"`{self.rule}`"
        return f"{STEPS[parts[0]]} {'/'.join(parts[1:])}"

    def last_lines(self) -> list[str]:
        """The end of its log."""
        try:
            with open(self.log or "", "rb", opener=regular) as file:
                start = max(0, file.seek(0, 2) - READ)
                file.seek(start)
                text = file.read().decode("utf-8", "replace")
        except OSError:
            return []
        lines = [line.rstrip() for line in text.splitlines()]
        lines = [line for line in lines if line and not _BAR.search(line)]
        lines = lines[1 if start and len(lines) > 1 else 0 :][-LINES:]
        return [*(_cut(line, WIDTH) for line in lines[:-1]), *(_cut(x, WORDS) for x in lines[-1:])]

    def last_words(self) -> list[str]:
        """The end of its log, and what ended it where it could not say so itself."""
        lines = self.last_lines()
        if self.killed and not any(line.startswith(STOPPED) for line in lines):
            memory = ", as by the system where memory ends" if self.killed == "SIGKILL" else ""
            lines.append(f"(its process was ended by {self.killed}{memory})")
        return lines or ["(it has said nothing)"]

    @property
    def stopped(self) -> bool:
        """Whether it ended because it was asked to."""
        return self.killed in ASKED or self.last_words()[-1].startswith(STOPPED)


class Failures(logging.Filter):
    """Notes from Snakemake's log which jobs fail, and leaves out what it says of their shells.

    Args:
        logs: the folder of the jobs' logs.
    """

    def __init__(self, logs: Path) -> None:
        super().__init__()
        self.logs = logs
        self._failed: dict[int, Failed] = {}
        self._killed: dict[int | None, str] = {}  # thread → the signal that it spoke of last

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether Snakemake shows a message."""
        event, said = str(getattr(record, "event", "")), str(record.msg)
        if event == "job_error":
            logs = [Path(path) for path in getattr(record, "log", ())]
            job = Failed(
                logs[0] if logs else None,
                str(getattr(record, "rule_name", "")),
                self._killed.pop(record.thread, ""),
            )
            self._failed[getattr(record, "jobid", -1)] = job
            how = "was stopped" if job.stopped else "failed"
            # In one piece: jobs end at the same time, in threads of their own.
            print(f"medfl: {job.name(self.logs)} {how}.\n", end="", file=sys.stderr, flush=True)
        elif event == "job_finished":  # at a second attempt
            self._failed.pop(getattr(record, "job_id", -1), None)
        elif event == "error" and _SHELL.search(said):
            self._killed[record.thread] = _signal(said)
            return False
        elif event == "job_started" or said.startswith("Select jobs"):
            return False  # which they are, the next lines say
        elif getattr(record, "exception", "") == "LockException":
            record.msg = f"{said} `medfl benchmark` takes --unlock, too."
        return not (event == "error" and self._failed and said.endswith(_LAST))

    def tell(self, partial: str) -> None:
        """Print the end of the log of each job that failed, and how to go on.

        Args:
            partial: the command that makes tables of what is there; empty where nothing is.
        """
        stopped = 0
        by_words: dict[str, list[Failed]] = {}
        for job in self._failed.values():
            if job.stopped:
                stopped += 1
            else:
                by_words.setdefault(job.last_words()[-1], []).append(job)
        lines = []
        for jobs in list(by_words.values())[:FEW]:
            first, *others = jobs
            lines += ["", f"medfl: {first.name(self.logs)} failed; the end of {first.log}:"]
            lines += [f"  {line}" for line in first.last_words()]
            names = [job.name(self.logs) for job in others]
            if names:
                more = f" and {len(names) - FEW} more" if len(names) > FEW else ""
                lines.append(f"  The same befell {', '.join(names[:FEW])}{more}.")
        rest = sum(map(len, list(by_words.values())[FEW:]))
        lines += [f"medfl: {rest} more failed; their logs are in {self.logs}."] if rest else []
        if stopped:
            lines.append(f"medfl: {stopped} job{'s were' if stopped > 1 else ' was'} stopped.")
        if lines:
            lines += ["", "medfl: the same command makes what is missing, and nothing else again."]
            if partial:
                lines.append(f"medfl: `{partial}` makes tables of the runs that are there.")
            print("\n".join(lines), file=sys.stderr, flush=True)


def _cut(line: str, width: int) -> str:
    return line if len(line) <= width else line[: width - 1] + "…"


def _signal(said: str) -> str:
    """The signal that ended a job, by the words in which Python says so."""
    found = _STATUS.search(said)
    if found is None:
        return ""
    if found[2]:
        return found[2]
    number = int(found[1]) - 128
    return signal.Signals(number).name if number in set(signal.Signals) else ""


def partial_command(
    results: str, named: Sequence[str | Path], fixed: Path, changes: Mapping[str, Any]
) -> str:
    """What makes tables of the runs that are there; empty where there is none.

    Args:
        results: where they lie.
        named: the params file of this start.
        fixed: the same grid as this start has fixed it.
        changes: what ``--config`` says, which no other start knows.
    """
    if not finished_runs(results):
        return ""
    file = Path(fixed if changes else named[0]).absolute()
    if file.is_relative_to(Path.cwd()):
        file = file.relative_to(Path.cwd())
    if changes or STARTED in os.environ:  # `medfl benchmark` is called in any folder
        return f"medfl report --partial --grid {file}"
    other = "" if file == Path(DEFAULT_GRID) else f" --configfile {file}"
    return f"snakemake partial --cores 1{other}"
