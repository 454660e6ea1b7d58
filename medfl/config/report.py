"""The section `report`: what of a run's numbers is published, and how it is put."""

from __future__ import annotations

from pydantic import Field

from medfl.config.base import Section
from medfl.config.deciding import KEPT

EQUAL_WITHIN = 1.0


class Report(Section):
    """What tables, records, figures and the report leave out, and what they call equal."""

    minimum_cell: int | None = Field(
        None,
        ge=0,
        description="the smallest number of samples or patients that is published of a client or a "
        "class, and of which metrics are; null: 10 for people's own data, 0 (all of them) for "
        "published sets",
        json_schema_extra=KEPT,
    )
    equal_within: float = Field(
        EQUAL_WITHIN,
        gt=0,
        le=100,
        allow_inf_nan=False,
        description="arms are practically equal where the whole interval of their difference in "
        "the primary metric lies inside ± this many points (hundredths)",
        json_schema_extra=KEPT,
    )
