"""The one exception that reaches a user: what is wrong, where, and how to mend it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


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
