"""docs/algorithms.md says of every built-in algorithm what its class says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from medfl.algorithms import ALGORITHMS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "algorithms.md"
ROW = re.compile(r"^\| `(\w+)` \| (.+?) \| (.+?) \| .+ \|$", re.MULTILINE)


def sections() -> dict[str, str]:
    """The page's text below each heading."""
    _, *parts = re.split(r"^## (.+)\n", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return dict(zip(parts[::2], parts[1::2], strict=True))


def allowed(field: dict[str, Any]) -> str:
    """The values of a hyper-parameter in words, from its JSON schema."""
    field = field | field.get("anyOf", [{}])[0]  # null, which a default may be, comes last
    if field.get("type") == "boolean":
        return "True, False"
    if "enum" in field:
        return ", ".join(map(str, field["enum"]))
    signs = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    return ", ".join(f"{sign} {field[key]:g}" for key, sign in signs.items() if key in field)


def test_the_page_has_every_algorithm_in_the_registrys_order():
    assert list(sections())[1:] == ALGORITHMS.available()


@pytest.mark.parametrize("name", ALGORITHMS.available())
def test_an_algorithms_section_agrees_with_its_class(name):
    text, kind = sections()[name], ALGORITHMS.load(name)
    fields = kind.Params.model_json_schema()["properties"] if kind.Params.model_fields else {}
    expected = [(key, str(field["default"]), allowed(field)) for key, field in fields.items()]
    assert ROW.findall(text) == expected
    assert ("- **Hyper-parameters**: none" in text) == (not fields)
    assert f"\n- **Evaluated**: `{kind.evaluated}`\n" in text
    assert f"\n- **Batch-norm statistics**: {kind.statistics}\n" in text
    assert "\n- **Helps**: " in text
    assert "\n- **Does not help**: " in text
