"""Ids of published sets that a copy's table writes in two ways."""

from __future__ import annotations

from medfl.datasets.published import about_published
from medfl.store import Sample


def samples(*groups: str, sites: str = "") -> list[Sample]:
    where = sites.split() or [""] * len(groups)
    pairs = zip(groups, where, strict=True)
    return [Sample(f"s{n}", ("a",), group, site) for n, (group, site) in enumerate(pairs)]


def test_groups_and_sites_that_look_like_one_are_counted():
    assert about_published(samples("1", "1", "2", "HAM_01", "HAM_10")) == []
    (line,) = about_published(samples("1", "01", "1.0", "2", "L_3", "l-3"))
    assert line.startswith("5 groups (patients) look like 2 whose ids are written in several ways")
    (line,) = about_published(samples("1", "2", "3", sites="West west East"))
    assert line.startswith("2 sites look like 1 whose")
