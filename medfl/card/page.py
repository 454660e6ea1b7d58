"""Write the page of a card: self-contained HTML, filled from what ``card.json`` holds."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from medfl.card.findings import percent
from medfl.files import write_text
from medfl.pages.html import environment, png_uri

TEMPLATES = Path(__file__).parent / "templates"
PAIRS = 24  # so many pairs of look-alikes are shown with their pictures
ROWS = 30  # so many rows and columns of a table are shown; the rest stands in card.json


@dataclass(frozen=True)
class CardFigure:
    """A PNG file and what it shows."""

    path: Path
    caption: str


def write_page(
    card: dict[str, Any],
    pictures: Mapping[str, CardFigure],
    pairs: Sequence[np.ndarray],
    path: Path,
) -> None:
    """Fill the template.

    Args:
        card: what ``card.json`` holds.
        pictures: the figures by name.
        pairs: pictures (h, w, 3) uint8 of the first of the card's pairs.
        path: where the page goes.
    """
    made = environment(TEMPLATES)
    made.filters["percent"] = percent
    made.filters["count"] = lambda value: f"{value:,}"
    made.filters["number"] = lambda value: "–" if value is None else f"{value:,.4g}"
    made.filters["known"] = lambda text: text or "unknown"
    settings = (card["preparation"] or {}).get("settings") or {}
    page = made.get_template("card.html.j2").render(
        card=card,
        pictures=pictures,
        pairs=list(zip(card["duplicates"]["pairs"], map(picture_uri, pairs), strict=False)),
        most=ROWS,
        settings=yaml.safe_dump(settings, sort_keys=False, allow_unicode=True) if settings else "",
    )
    write_text(path, page)


def picture_uri(pixels: np.ndarray) -> str:
    """Make a data URI of a picture (h, w, 3) uint8."""
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", optimize=True)
    return png_uri(file.getvalue())
