"""The section `report`: what of a run's numbers is published."""

from __future__ import annotations

from pydantic import Field

from medfl.config.base import Section
from medfl.config.deciding import KEPT


class Report(Section):
    """What tables, records, figures and the report leave out."""

    minimum_cell: int | None = Field(
        None,
        ge=0,
        description="the smallest number of samples or patients that is published of a client or a "
        "class, and of which metrics are; null: 10 for people's own data, 0 (all of them) for "
        "published sets",
        json_schema_extra=KEPT,
    )
