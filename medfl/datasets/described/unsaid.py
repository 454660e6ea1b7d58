"""Warn where a description says something of sites, folds or patients that no sample has."""

from __future__ import annotations

from collections.abc import Sequence

from medfl.datasets.described.fact_sections import Named
from medfl.datasets.described.facts import FactReader, Facts
from medfl.datasets.described.renames import about_unused
from medfl.identity.spelling import spelling


def about_unsaid(reader: FactReader, facts: Sequence[Facts]) -> list[str]:
    """Warn of places that hold nothing, and of words that nothing is called.

    Args:
        reader: what has read all samples.
        facts: of those that are kept.
    """
    data = reader.data
    lines = []
    if reader.says("site") and not any(one.site for one in facts):
        lines.append(
            "no sample has a site where the description, or a column `site`, says that it stands: "
            "partitions by site need another place, by `site:`"
        )
    if reader.says("fold") and not any(one.fold for one in facts):
        lines.append(
            "no sample has a fold where the description, or a column `fold`, says that it stands: "
            "splits make their own, by group"
        )
    sites = sorted({one.site for one in facts} - {""})
    lines += about_unused("site.map", data.site.rename, reader.met["site"], sites)
    words = {word.casefold() for word in reader.met["fold"]}
    lines += about_unused("fold.map", data.fold.rename, words)
    for key, origin in (("patient", data.patient), ("site", data.site)):
        lines += _about_unknown(key, origin, reader.met[key])
    return lines


def _about_unknown(key: str, origin: Named, met: set[str]) -> list[str]:
    """Warn where none of the words that mean that nobody knows occurs; they may name people."""
    words = set(map(spelling, origin.unknown or ()))
    if not words or not words.isdisjoint(map(spelling, met)):
        return []
    return [f"no sample has a word of `{key}.unknown`: look how they are written"]
