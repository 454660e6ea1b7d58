"""The one exception that reaches a user, and blocks that give every error its place."""

from __future__ import annotations

import sysconfig
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class MedflError(Exception):
    """Bad input or an impossible request.

    The message says what is wrong, where, and how to mend it; the command line prints it on one
    line, without a traceback, and exits with status 2.
    """


@contextmanager
def naming(where: str) -> Iterator[None]:
    """Put ``where`` its cause stands, such as a file, before every ``MedflError`` of the block."""
    try:
        yield
    except MedflError as error:
        raise MedflError(f"{where}: {error}") from error


@contextmanager
def own_code(where: str) -> Iterator[None]:
    """Run a person's own code: what it raises becomes a ``MedflError`` that says where and why."""
    try:
        yield
    except MedflError:
        raise
    except Exception as error:
        cause = " ".join(str(error).split()).rstrip(".")
        raise MedflError(f"{where}: {type(error).__name__}: {cause}{_line(error)}.") from error


def _line(error: Exception) -> str:
    """The line of the person's own code that failed; a syntax error names its line by itself."""
    frames = traceback.extract_tb(error.__traceback__)
    installed = {
        Path(__file__).resolve().parent,
        *(Path(sysconfig.get_path(kind)) for kind in ("stdlib", "purelib")),
    }
    own = [f for f in frames if installed.isdisjoint(Path(f.filename).parents)]
    own = [f for f in own if not f.filename.startswith("<")]  # the interpreter's own, frozen
    if not own or isinstance(error, SyntaxError):
        return ""
    return f" (line {own[-1].lineno} of {Path(own[-1].filename).name})"
