"""The log of a run: on standard error, and in the run's folder."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from medfl.errors import MedflError
from medfl.files import cannot_write
from medfl.files.regular import check_regular

log = logging.getLogger("medfl")


class _RunLog(logging.FileHandler):
    """A log file that ends the run when its disk is full: nothing more of the run could be kept."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        error = sys.exc_info()[1]
        explained = (
            cannot_write(Path(self.baseFilename), error) if isinstance(error, OSError) else None
        )
        if explained is None:
            return super().handleError(record)
        raise explained from error


@contextmanager
def log_to(path: Path) -> Iterator[None]:
    """Send medfl's log to ``path`` and to standard error while the block runs.

    Raises:
        MedflError: what lies there is a folder, or no ordinary file: who opens a pipe may wait for
            ever.
    """
    try:
        check_regular(path)
    except OSError as error:
        raise MedflError(f"{path} cannot be written ({error.strerror}): move it.") from error
    screen = logging.StreamHandler(sys.stderr)
    screen.setLevel(logging.INFO)  # the file also gets the traceback of a person's own code
    file = _RunLog(path, encoding="utf-8", errors="backslashreplace")  # as standard error does
    handlers: list[logging.Handler] = [file, screen]
    level, propagate = log.level, log.propagate
    log.propagate = False
    for handler in handlers:
        handler.setFormatter(logging.Formatter("%(asctime)s  %(message)s", "%H:%M:%S"))
        log.addHandler(handler)
    log.setLevel(logging.DEBUG)
    try:
        yield
    finally:
        for handler in handlers:
            log.removeHandler(handler)
            with suppress(OSError):  # that the disk is full has been reported already
                handler.close()
        log.setLevel(level)
        log.propagate = propagate


def progress_line(row: dict[str, Any], rounds: int, primary: str) -> str:
    """One line of a run's log for one round; ``primary`` is the metric that it shows.

    A fold of which the row has no such metric is not spoken of.
    """
    parts: Sequence[str] = [f"round {row['round']:>4}/{rounds}"]
    if row.get("train_loss") is not None:
        parts = [*parts, f"loss {row['train_loss']:.4f}"]
    if row.get("refused"):
        parts = [*parts, f"{row['refused']} refused"]
    if row.get("evaluated"):
        for fold in (one for one in ("val", "test") if f"{one}_{primary}" in row):
            value = row[f"{fold}_{primary}"]
            shown = "undefined" if value is None else f"{value:.3f}"
            parts = [*parts, f"{fold} {primary.replace('_', ' ')} {shown}"]
    seconds, done = row.get("seconds", 0), row["round"]
    left = f", about {in_time(seconds / done * (rounds - done))} left" if 0 < done < rounds else ""
    return "  ".join([*parts, f"{seconds:.1f} s{left}"])


def in_time(seconds: float) -> str:
    """A time as a person reads it at a glance: ``40 s``, ``3 min``, ``2.5 h``, ``4 days``."""
    for unit, size, least in (("days", 86400, 2 * 86400), ("h", 3600, 5400), ("min", 60, 90)):
        if seconds >= least:
            number = seconds / size
            return f"{number:.{int(number < 10 and unit != 'min')}f} {unit}"
    return f"{seconds:.0f} s"
