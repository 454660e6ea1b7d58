"""The one exception that reaches a user: what is wrong, where, and how to mend it."""

from __future__ import annotations


class MedflError(Exception):
    """Bad input or an impossible request.

    The message says what is wrong, where, and how to mend it; the command line prints it on one
    line, without a traceback, and exits with status 2.
    """
