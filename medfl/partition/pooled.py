"""No federation: all samples in one place, in the folds that every other partition has."""

from __future__ import annotations

import numpy as np

from medfl.errors import MedflError
from medfl.partition.base import Block, Partition, Request

POOLED = "pooled"


class Pooled(Partition):
    """One client holds all samples.

    Grids put their pooled runs here (``medfl/grid/shared.py``). ``num_clients`` of such a run says
    how many clients the federations have whose work it does.
    """

    title = "All in one place"
    natural = True
    even = True

    def blocks(self, request: Request) -> list[Block]:
        """One client with everything."""
        if request.num_clients not in (None, 1):
            raise MedflError(
                f"partition `{POOLED}` has one client, not {request.num_clients}: leave "
                "num_clients out."
            )
        groups = request.groups
        return [Block(np.ones(len(groups), bool), np.ones((1, len(groups.columns))))]
