"""Make self-contained pages: templates escape what is put in; style and pictures are inside."""

from __future__ import annotations

import base64
import io
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape
from PIL import Image, features

from medfl.files.regular import read_bytes
from medfl.pages.words import with_code

SHARED = Path(__file__).parent / "templates"


def environment(templates: Path) -> Environment:
    """Open the templates in a folder and the shared ones (``style.css``).

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
    made.filters["code_words"] = code_words
    return made


def code_words(text: str) -> Markup:
    """Escape a text, and set what stands in backticks as code, as Markdown does."""
    return Markup(with_code(text, lambda word: str(escape(word)), _code))


def _code(word: str) -> str:
    return f"<code>{escape(word)}</code>"


def data_uri(path: Path) -> str:
    """Make a data URI of a PNG file; a drawing of few colours becomes WebP with the same pixels.

    That takes three quarters of the bytes. Every browser of the last years shows it.
    """
    content = read_bytes(path)
    try:
        with Image.open(io.BytesIO(content), formats=["PNG"]) as picture:
            if picture.mode == "P" and features.check("webp"):
                packed = io.BytesIO()
                # More effort takes a hundredth off at half as many seconds again.
                picture.convert("RGB").save(packed, "WEBP", lossless=True, method=2, quality=30)
                return _uri("webp", packed.getvalue())
    except (OSError, SyntaxError):  # no whole picture: a browser shows its words in its place
        pass
    return png_uri(content)


def png_uri(content: bytes) -> str:
    """Make a data URI of the bytes of a PNG file."""
    return _uri("png", content)


def _uri(kind: str, content: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode('ascii')}"
