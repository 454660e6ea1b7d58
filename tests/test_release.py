"""The version stands in the package, the changelog and the citation: they must agree."""

from __future__ import annotations

import datetime
import re
from pathlib import Path

import yaml
from packaging.version import Version

import medfl

ROOT = Path(__file__).resolve().parents[1]


def releases() -> list[tuple[Version, datetime.date]]:
    """The versions of the changelog with their dates, as they stand in it."""
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    headings = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert headings.pop(0) == "Unreleased"
    parts = [heading.split(" - ") for heading in headings]
    return [(Version(name), datetime.date.fromisoformat(date)) for name, date in parts]


def test_the_changelog_goes_from_new_to_old():
    found = releases()
    assert found
    assert found == sorted(found, reverse=True)


def test_the_package_is_the_last_release_or_on_the_way_to_the_next():
    newest, _ = releases()[0]
    version = Version(medfl.__version__)
    assert version == newest or (version.is_devrelease and version > newest)


def test_the_citation_names_the_last_release():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    version, date = releases()[0]
    assert Version(citation["version"]) == version
    assert citation["date-released"] == date.isoformat()
