"""Say in sentences what an engineer should know first; each is made of numbers of the card."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

LEAK, WARNING, NOTE = "leak", "warning", "note"
SMALL = 20  # a class or site of fewer images is small
DOMINANT = 0.9  # one class has this share of a site, or one site of a class
MORE = 0.1  # and exceeds its share overall by this
GAP = 0.2  # this share of missing cells is worth a sentence
IMBALANCE = 10  # the largest class is so many times the smallest
CROWDED = 0.2  # where this share of images is in near-duplicate pairs, the measure says little
NAMED = 5  # so many things are named in one sentence

CardFinding = dict[str, str]


def card_findings(card: dict[str, Any]) -> list[CardFinding]:
    """List what was found: leaks first, then warnings, then notes."""
    found = [
        {"level": level, "text": text}
        for part in (_whole, _duplicates, _groups, _classes, _sites, _attributes, _pixels)
        for level, text in part(card)
    ]
    return sorted(found, key=lambda one: (LEAK, WARNING, NOTE).index(one["level"]))


def percent(share: float) -> str:
    """Write a share as a person does: what is neither 0 % nor 100 % is not called so."""
    if share != share:
        return f"{share}"
    if 0 < share < 0.005:
        return "under 1 %"
    if 0.995 <= share < 1:
        return "over 99 %"
    return f"{100 * share:.0f} %"


def _whole(card: dict[str, Any]) -> Iterator[tuple[str, str]]:
    record = card["preparation"]
    if record is None:
        return
    if record["missing"]:
        total = record["missing"] + card["images"]["count"] + record["excluded"]
        yield (
            WARNING,
            f"This is a part of the dataset: {record['missing']:,} of {total:,} images were not "
            "on the disk when it was prepared.",
        )
    if record["excluded"]:
        reason = next(iter(record["excluded_by_reason"]), "")
        most = f"; most often: {reason}" if reason else ""
        yield WARNING, f"{_n(record['excluded'], 'file')} left out when it was prepared{most}."
    for text in record["warnings"]:
        yield WARNING, text.rstrip(".") + "."


def _duplicates(card: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for kind, word in (("exact", "identical"), ("near", "near-duplicate")):
        counts = card["duplicates"][kind]
        if counts["across_folds"]:
            verb = "crosses" if counts["across_folds"] == 1 else "cross"
            yield LEAK, f"{_n(counts['across_folds'], f'{word} pair')} {verb} official folds."
        if counts["other_group"]:
            join = "joins" if counts["other_group"] == 1 else "join"
            yield (
                LEAK,
                f"{_n(counts['other_group'], f'{word} pair')} {join} different groups: a split by "
                "group can put one image into training and its look-alike into the test.",
            )
        if counts["other_labels"]:
            carry = "carries" if counts["other_labels"] == 1 else "carry"
            yield (
                WARNING,
                f"{_n(counts['other_labels'], f'{word} pair')} {carry} different labels: one of "
                "the two is wrong, or the label does not depend on the picture alone.",
            )
    for fold, count in card["duplicates"]["copied_from_training"].items():
        if count:
            has = "has" if count == 1 else "have"
            yield LEAK, f"{_n(count, f'{fold} image')} {has} a look-alike in the training fold."
    near = card["duplicates"]["near"]["images"] / card["images"]["count"]
    if near > CROWDED:
        yield (
            NOTE,
            f"{percent(near)} of the images are in near-duplicate pairs: at this size they are so "
            "alike that copies cannot be told from similar pictures. Look at the pairs.",
        )
    if not card["duplicates"]["all"]["pairs"]:
        yield NOTE, "No identical or nearly identical images were found."
    if not card["duplicates"]["complete"]:
        yield WARNING, "There are too many look-alikes to list: their counts are lower bounds."


def _groups(card: dict[str, Any]) -> Iterator[tuple[str, str]]:
    counts = card["groups"]
    if counts["across_folds"]:
        lies = "lies" if counts["across_folds"] == 1 else "lie"
        yield (
            LEAK,
            f"{_n(counts['across_folds'], 'group')} (patients) {lies} in two official folds.",
        )
    if counts["several"]:
        has = "has" if counts["several"] == 1 else "have"
        yield (
            NOTE,
            f"{counts['several']:,} of {_n(counts['groups'], 'group')} (patients, lesions) {has} "
            f"several images, up to {counts['largest']:,}: split by group.",
        )
    elif card["images"]["count"] > 1:
        yield (
            WARNING,
            "Every image is a group of its own: either there is one image per patient, or patients "
            "are not known and may be in training and test at once.",
        )
    if counts["across_sites"]:
        has = "has" if counts["across_sites"] == 1 else "have"
        yield NOTE, f"{_n(counts['across_sites'], 'group')} {has} images of several sites."
    if counts["mixed_labels"] and card["labels"] is None:
        has = "has" if counts["mixed_labels"] == 1 else "have"
        yield NOTE, f"{_n(counts['mixed_labels'], 'group')} {has} images of different classes."


def _classes(card: dict[str, Any]) -> Iterator[tuple[str, str]]:
    counts = {part["name"]: part["count"] for part in card["classes"]}
    absent = [name for name, count in counts.items() if not count]
    small = [name for name, count in counts.items() if 0 < count < SMALL]
    if absent:
        has = "has" if len(absent) == 1 else "have"
        yield WARNING, f"{_n(len(absent), 'class')} {has} no image: {_list(absent)}."
    if small:
        has = "has" if len(small) == 1 else "have"
        yield WARNING, f"{_n(len(small), 'class')} {has} fewer than {SMALL} images: {_list(small)}."
    # A count that is not published is less than no number.
    present = {name: count for name, count in counts.items() if count > 0}
    if len(present) > 1:
        most, least = max(present, key=present.__getitem__), min(present, key=present.__getitem__)
        times = present[most] / present[least]
        if times >= IMBALANCE:
            metric = "macro AUC" if card["labels"] else "balanced accuracy"
            yield (
                NOTE,
                f"The classes are unbalanced: {most} has {present[most]:,} images, {least} "
                f"{present[least]:,} ({times:.0f} times fewer). Look at {metric}.",
            )
    if card["labels"] and card["labels"]["empty"]:
        empty = card["labels"]["empty"]
        has = "has" if empty == 1 else "have"
        yield (
            WARNING,
            f"{_n(empty, 'image')} ({percent(empty / card['images']['count'])}) {has} no label: "
            "nothing was found there, or the label is missing.",
        )
    folds = [part["name"] for part in card["folds"]]
    if "" in folds and len(folds) > 1:
        yield WARNING, "Only some images state an official fold: such folds cannot be used."
    table = _table(card["class_by_fold"])
    for k, fold in enumerate(card["class_by_fold"]["columns"] if len(folds) > 1 else ()):
        names = [name for name, row in zip(counts, table, strict=True) if row.sum() and not row[k]]
        if names and fold:
            yield (
                WARNING,
                f"The official {fold} fold lacks {_n(len(names), 'class')}: {_list(names)}.",
            )


def _sites(card: dict[str, Any]) -> Iterator[tuple[str, str]]:
    sites = {part["name"]: part["count"] for part in card["sites"]}
    if set(sites) == {""}:
        yield NOTE, "No site is stated: clients by site are impossible, and so is testing for one."
        return
    if "" in sites:
        yield WARNING, f"{_n(sites[''], 'image')} of unknown site."
    if len(sites) < 2:
        return
    if card["labels"] is None:
        yield from _shortcuts(card, sites)
    tiny = [name for name, count in sites.items() if name and count < SMALL]
    if tiny:
        has = "has" if len(tiny) == 1 else "have"
        yield WARNING, f"{_n(len(tiny), 'site')} {has} fewer than {SMALL} images: {_list(tiny)}."


def _shortcuts(card: dict[str, Any], sites: dict[str, int]) -> Iterator[tuple[str, str]]:
    """Say where one class fills a site, or one site gives nearly all of a class."""
    table, names = _table(card["class_by_site"]), card["class_by_site"]["rows"]
    columns, total = card["class_by_site"]["columns"], table.sum()
    found = []
    for k, site in enumerate(columns):
        top = int(table[:, k].argmax())
        share, usual = table[top, k] / table[:, k].sum(), table[top].sum() / total
        if site and sites[site] >= SMALL and share >= DOMINANT and share - usual >= MORE:
            found.append(
                f"{percent(share)} of site {site} is {names[top]} ({percent(usual)} overall): a "
                "model can learn the site instead of the disease."
            )
    for row, name in zip(table, names, strict=True):
        if row.sum() < SMALL:
            continue
        top = int(row.argmax())
        share, usual = row[top] / row.sum(), table[:, top].sum() / total
        if columns[top] and share >= DOMINANT and share - usual >= MORE:
            found.append(
                f"{percent(share)} of class {name} comes from site {columns[top]} "
                f"({percent(usual)} of all images do)."
            )
    yield from ((WARNING, text) for text in found[:NAMED])
    if len(found) > NAMED:
        yield (
            WARNING,
            f"{len(found) - NAMED:,} more sites or classes are as one-sided: see the table.",
        )


def _attributes(card: dict[str, Any]) -> Iterator[tuple[str, str]]:
    total = card["images"]["count"]
    gaps = [one for one in card["attributes"] if one["missing"] >= GAP * total]
    if gaps:
        words = [f"{one['name']} ({percent(one['missing'] / total)})" for one in gaps]
        yield WARNING, f"Missing for many images: {_list(words)}."
    for one in card["attributes"]:
        if one["kind"] == "text":
            yield (
                WARNING,
                f"The column {one['name']} differs in nearly every image: it may identify people, "
                "and is not shown.",
            )
        if one["odd"]:
            yield WARNING, f"{_n(one['odd'], 'cell')} of {one['name']} should be a number."


def _pixels(card: dict[str, Any]) -> Iterator[tuple[str, str]]:
    if blank := card["images"]["blank"]:
        shows = "shows" if blank == 1 else "show"
        yield WARNING, f"{_n(blank, 'image')} {shows} nothing: nearly one colour."
    kinds = [part["name"] or "unknown" for part in card["modalities"]]
    if len(kinds) > 1:
        yield NOTE, f"Images of several modalities are mixed: {_list(kinds)}."
    sites = card["intensities"]["by_site"]
    means = {name: float(np.mean([c["mean"] for c in one])) for name, one in sites.items() if name}
    if len(means) > 1:
        low, high = min(means, key=means.__getitem__), max(means, key=means.__getitem__)
        yield (
            NOTE,
            f"Mean pixel values by site go from {means[low]:.0f} ({low}) to {means[high]:.0f} "
            f"({high}).",
        )


def _table(cross: dict[str, Any]) -> np.ndarray:
    return np.array(cross["counts"], dtype=np.float64)


def _n(count: int, word: str) -> str:
    plural = word if count == 1 else word + ("es" if word.endswith("s") else "s")
    return f"{count:,} {plural}"


def _list(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED:,} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more
