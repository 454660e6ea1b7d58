"""One sentence of medfl's where Snakemake cannot read a grid, in place of a traceback.

Snakemake reads what ``--configfile`` names before any file of a workflow. Where it meets a 30th of
February, it shows 70 lines that name no file. The workflow's profile switches this plugin on;
Snakemake imports it in every workflow, so that medfl is imported only once there is such an error.
All else that Snakemake logs stays as it is.
"""

from __future__ import annotations

import logging
import sys
from contextlib import suppress

from snakemake_interface_logger_plugins.base import LogHandlerBase
from snakemake_interface_logger_plugins.common import LogEvent


class LogHandler(LogHandlerBase):
    """Let errors pass a filter before Snakemake's own handlers show them; log nothing itself."""

    writes_to_stream = False
    writes_to_file = False
    has_filter = True
    has_formatter = True
    needs_rulegraph = False

    def __post_init__(self) -> None:
        logging.getLogger("snakemake.logging").addFilter(_name_the_file)

    def emit(self, record: logging.LogRecord) -> None:
        """Leave the record to Snakemake's own handlers."""


def _name_the_file(record: logging.LogRecord) -> bool:
    """Replace the message of a configfile's error; Snakemake logs it while it handles the error."""
    if getattr(record, "event", None) == LogEvent.ERROR:
        path = _unread_file(sys.exc_info()[1])
        with suppress(Exception):  # Snakemake's own message is better than none
            said = path and _why(path)
            if said:
                record.msg, record.args = f"medfl: error: {said}", None
    return True


def _unread_file(error: BaseException | None) -> str | None:
    """The configfile that Snakemake was reading when an exception was raised."""
    trace = error.__traceback__ if error else None
    while trace:
        code = trace.tb_frame.f_code
        if code.co_name == "load_configfile" and code.co_filename.endswith("configfile.py"):
            return str(trace.tb_frame.f_locals.get("configpath") or "") or None
        trace = trace.tb_next
    return None


def _why(path: str) -> str | None:
    from medfl.errors import MedflError
    from medfl.files import read_yaml, unusual_yaml

    try:
        read_yaml(path)
    except MedflError as error:
        return str(error)
    return unusual_yaml(path)
