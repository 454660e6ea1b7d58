"""The `medfl` command. Each step of the pipeline is a subcommand, so it also runs by hand."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable, Sequence

from medfl.warm import OFF, VARIABLE, ended, foresee, served

PACKAGE = os.path.dirname(__file__)
WARM = ("split", "run", "choose", "tuning", "aggregate", "report")
"""Commands that cost less than what they import: in a grid it is imported once for all of them."""

WARM_UP = "warm"
"""What the Snakefile calls, so that this is imported before the first of them begins."""

THREADS = (
    *(f"{name}_NUM_THREADS" for name in ("OMP", "GOTO", "OPENBLAS", "MKL", "NUMEXPR")),
    "VECLIB_MAXIMUM_THREADS",
)
"""What Snakemake sets to the cores of a job."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status. An error of the user's is printed on one line."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # As on standard error: a terminal that lacks a letter shows its number, and ends nothing.
        sys.stdout.reconfigure(errors="backslashreplace")
    offered = os.environ.pop(VARIABLE, OFF)
    command = sys.argv[1] if arguments is None and len(sys.argv) > 1 else ""
    if command == "report" and offered != OFF:
        # It draws in processes of one thread each: it need not wait for a server of other threads.
        os.environ.update({name: "1" for name in THREADS if name in os.environ})
    if command in WARM:
        status = served(offered, _get_ready, PACKAGE)
        if status is not None:
            os._exit(status)  # this process has only waited: there is nothing to take apart
    elif command in ("prepare", WARM_UP):
        foresee(offered, _get_ready, PACKAGE)  # meanwhile, for what comes after it
        if sys.argv[1] == WARM_UP:  # a job that is forked later has its own word there
            return 0
    # Not before: who only waits for a job needs none of it.
    from medfl.commands.call import call

    return ended(call(arguments))


def _get_ready() -> tuple[Callable[[], object], Callable[[], object]]:
    from medfl.commands.ready import get_ready

    return get_ready()


if __name__ == "__main__":
    sys.exit(main())
