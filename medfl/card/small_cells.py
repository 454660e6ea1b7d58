"""The numbers of a card without those of few people, for data that are somebody's own."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from medfl.disclosure.cells import hide_in_line, hide_in_table, is_small

Card = dict[str, Any]


class Unpublished(float):
    """A count that is not published: no number to compute with, a cross to read."""

    def __new__(cls, words: str = "×") -> Unpublished:  # noqa: D102
        made = super().__new__(cls, math.nan)
        made.words = words
        return made

    words: str

    def __format__(self, spec: str) -> str:
        return self.words

    def __str__(self) -> str:
        return self.words


CROSS = Unpublished()


def card_to_publish(card: Card, minimum: int) -> Card:
    """The content of a card, with ``Unpublished`` in place of hidden counts.

    Tables of classes, sites and folds hide what would restore a small cell, too. Pairs of
    look-alikes stay: the card shows them one by one.
    """
    found = dict(card)
    for name in ("classes", "sites", "folds", "modalities"):
        found[name] = _parts(card[name], minimum)
    for name, across in (("class_by_site", "sites"), ("class_by_fold", "folds")):
        found[name] = _cross(card[name], found["classes"], found[across], minimum)
    if card["labels"]:
        found["labels"] = _labels(card["labels"], minimum)
    found["groups"] = _groups(card["groups"], minimum)
    found["attributes"] = [_attribute(one, minimum) for one in card["attributes"]]
    found["intensities"] = card["intensities"] | {
        key: _without(card["intensities"][key], hidden_names(found[parts]))
        for key, parts in (("by_site", "sites"), ("by_class", "classes"))
    }
    sites = hidden_names(found["sites"])
    found["source_sizes"] = {
        name: one
        for name, one in _without(card["source_sizes"], sites).items()
        if not name or not is_small(one["images"], minimum)
    }
    if without_numbers(found["class_by_site"]) != card["class_by_site"]:
        found["site_guess"] = None  # it is the sum of each site's largest cell
    return found | {"minimum_cell": minimum}


def without_numbers(value: Any) -> Any:
    """A card's content with None for counts that are not published."""
    if isinstance(value, Unpublished):
        return None
    if isinstance(value, Mapping):
        return {key: without_numbers(one) for key, one in value.items()}
    return [without_numbers(one) for one in value] if isinstance(value, list | tuple) else value


def hidden_names(parts: Sequence[Mapping[str, Any]]) -> set[str]:
    """The classes or sites of a card whose counts are not published."""
    return {str(part["name"]) for part in parts if isinstance(part["count"], Unpublished)}


def _without(found: Mapping[str, Any], names: set[str]) -> Card:
    return {name: one for name, one in found.items() if name not in names}


def _parts(parts: Sequence[Card], minimum: int) -> list[Card]:
    gone = hide_in_line([part["count"] for part in parts], minimum)
    hidden = {"count": CROSS, "share": CROSS}
    return [part | hidden if out else part for part, out in zip(parts, gone, strict=True)]


def _cross(table: Card, rows: Sequence[Card], columns: Sequence[Card], minimum: int) -> Card:
    counts = np.array(table["counts"], dtype=float).reshape(len(rows), -1)
    out = np.array([name in hidden_names(rows) for name in table["rows"]], dtype=bool)[:, None]
    over = np.array([name in hidden_names(columns) for name in table["columns"]], dtype=bool)
    mask = hide_in_table(counts, minimum, hidden=out | over[None, :])
    pairs = zip(table["counts"], mask, strict=True)
    return table | {"counts": [_blank(row, gone) for row, gone in pairs]}


def _blank(counts: Sequence[int], gone: Any) -> list[Any]:
    return [CROSS if out else count for count, out in zip(counts, gone, strict=True)]


def _line(counts: Mapping[Any, int], minimum: int) -> dict[Any, Any]:
    gone = hide_in_line(list(counts.values()), minimum)
    return dict(zip(counts, _blank(list(counts.values()), gone), strict=True))


def _few(count: int, minimum: int) -> Any:
    return Unpublished(f"fewer than {minimum}") if is_small(count, minimum) else count


def _labels(labels: Card, minimum: int) -> Card:
    """No total of labels that go together is known, so a small cell is hidden alone."""
    together = labels["together"]
    counts = [_blank(row, is_small(row, minimum)) for row in together["counts"]]
    return {
        "empty": _few(labels["empty"], minimum),
        "per_image": _line(labels["per_image"], minimum),
        "together": together | {"counts": counts},
    }


def _groups(groups: Card, minimum: int) -> Card:
    """The largest group may be one person."""
    counted = ("groups", "several", "across_folds", "across_sites", "mixed_labels")
    found = {name: _few(groups[name], minimum) for name in counted}
    sizes = _line(groups["sizes"], minimum)
    few = isinstance(sizes.get(groups["largest"]), Unpublished)
    return groups | found | {"sizes": sizes, "largest": CROSS if few else groups["largest"]}


def _attribute(one: Card, minimum: int) -> Card:
    """The least and the greatest value are one person's."""
    rest = one["present"] - sum(one["values"].values()) if one["values"] else 0
    values = _line({**one["values"], None: rest}, minimum)
    values.pop(None)
    histogram = list(_line(dict(enumerate(one["histogram"])), minimum).values())
    ends = [CROSS, *one["quantiles"][1:-1], CROSS] if one["quantiles"] else []
    rare = {name: _few(one[name], minimum) for name in ("present", "missing", "odd")}
    if isinstance(rare["missing"], Unpublished):
        rare["present"] = CROSS  # all images without these
    return one | rare | {"values": values, "histogram": histogram, "quantiles": ends}
