"""Self-contained pages: templates that escape what is put in, one style, pictures inside."""

from __future__ import annotations

import base64
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

SHARED = Path(__file__).parent / "templates"


def environment(templates: Path) -> Environment:
    """The templates in a folder and the shared ones (``style.css``).

    Values are escaped, and a missing one is an error.
    """
    made = Environment(
        loader=FileSystemLoader((templates, SHARED)),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["data_uri"] = data_uri
    return made


def data_uri(path: Path) -> str:
    """A PNG file as a data URI."""
    return png_uri(path.read_bytes())


def png_uri(content: bytes) -> str:
    """The bytes of a PNG file as a data URI."""
    return "data:image/png;base64," + base64.b64encode(content).decode("ascii")
