"""The `medfl` command. Each step of the pipeline is a subcommand, so it also runs by hand."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence

from medfl.warm import OFF, VARIABLE, served

WARM = (["run"], ["split"])
"""The commands of which a grid has many jobs; what they need is imported once for all."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status. An error of the user's is printed on one line."""
    offered = os.environ.pop(VARIABLE, OFF)
    if arguments is None and sys.argv[1:2] in WARM:
        status = served(offered, _get_ready, os.path.dirname(__file__))
        if status is not None:
            return status
    # Not before: who only waits for a job needs none of it.
    from medfl.commands.call import call

    return call(arguments)


def _get_ready() -> Callable[[], object]:
    from medfl.commands.ready import get_ready

    return get_ready()


if __name__ == "__main__":
    sys.exit(main())
