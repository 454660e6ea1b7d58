"""The one exception that reaches a user, and blocks that give every error its place."""

from __future__ import annotations

import sysconfig
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType


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
        reason = f"{type(error).__name__}: {cause}".rstrip(": ")
        raise MedflError(f"{where}: {reason}{_line(error)}.") from error


def _line(error: Exception) -> str:
    """The line of the person's own code that failed; a syntax error names its line by itself."""
    own = own_frame(error)
    if own is None or isinstance(error, SyntaxError):
        return ""
    frame, line = own
    name = frame.f_code.co_qualname.replace(".<locals>", "")  # such as MyClass.step
    inside = "" if name.startswith("<") else f"in {name}, "
    return f" ({inside}line {line} of {Path(frame.f_code.co_filename).name})"


def own_frame(error: BaseException) -> tuple[FrameType, int] | None:
    """The innermost frame of a person's own code in a traceback, with its line; None without."""
    installed = {
        Path(__file__).resolve().parent,
        *(Path(sysconfig.get_path(kind)) for kind in ("stdlib", "purelib", "platlib")),
    }
    own = None
    for frame, line in traceback.walk_tb(error.__traceback__):
        file = frame.f_code.co_filename
        frozen = file.startswith("<")  # the interpreter's own
        if not frozen and installed.isdisjoint(Path(file).parents):
            own = frame, line
    return own
