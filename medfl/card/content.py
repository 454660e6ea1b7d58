"""Put all that a card says into one plain mapping, which ``card.json`` holds and the page shows."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from medfl.card import leaks, measure
from medfl.card.attributes import measure_attribute
from medfl.card.scan import Scan
from medfl.card.sizes import source_sizes
from medfl.errors import MedflError
from medfl.files import load_json
from medfl.imaging.lookalikes import ALIKE
from medfl.imaging.source_size import COLUMN
from medfl.store import PREPARATION, Store

SHOWN_PAIRS = 200  # listed in card.json, the riskiest first; the page shows fewer
SHOWN_EXCLUDED = 200
# Matches an absolute path of any system: it may hold a name, and tells another reader nothing.
_PATH = re.compile(r"(?<![\w/.:])(?:[A-Za-z]:\\|/(?=[^\s/]+/))[^\s:;,'\"`()]+")


def content(store: Store, scan: Scan, pairs: leaks.Pairs) -> dict[str, Any]:
    """Collect every number of the card; the findings are made of these.

    Args:
        store: the dataset.
        scan: the pass over its pixels.
        pairs: its look-alikes.
    """
    info = store.info
    sites, folds = measure.by_site(store), measure.by_fold(store)
    label_sets = measure.label_sets(store)
    named = "" not in sites.columns and len(sites.columns) > 1
    single = label_sets is None
    return {
        "schema": 1,
        "dataset": {
            "word": store.path.name,
            "name": info.name,
            "title": info.title,
            "task": info.task,
            "modality": info.modality,
            "synthetic": info.synthetic,
            "notes": hide_paths(info.notes),
        },
        "images": {
            "count": len(store),
            "shape": list(store.images.shape[1:]),
            "dtype": str(store.images.dtype),
            "bytes": int(store.images.nbytes),
            "channels": list(info.channels),
            "spacing": list(info.spacing),
            "mean": list(info.mean),
            "std": list(info.std),
            "blank": int(pairs.blank.sum()),
        },
        "classes": _plain(measure.classes(store)),
        "labels": _plain(label_sets),
        "sites": _plain(measure.parts(store.sites)),
        "class_by_site": asdict(sites),
        "site_guess": asdict(measure.guess(sites)) if named and single else None,
        "folds": _plain(measure.parts(store.folds)),
        "class_by_fold": asdict(folds),
        "modalities": _plain(measure.parts(store.modalities)),
        "groups": asdict(measure.groups(store)),
        "source_sizes": {name: asdict(one) for name, one in source_sizes(store).items()},
        "attributes": [
            asdict(measure_attribute(name, cells))
            for name, cells in store.attributes.items()
            if name != COLUMN
        ],
        "intensities": _intensities(store, scan, sites.columns),
        "duplicates": _duplicates(store, pairs),
        "preparation": _preparation(store),
        "provenance": {
            "store_fingerprint": store.fingerprint(),
            "images_sha256": info.images_sha256,
            "source_fingerprint": info.source_fingerprint,
            "licence": info.licence,
            "citation": info.citation,
        },
    }


def hide_paths(text: str) -> str:
    """Take absolute paths out of a text."""
    return _PATH.sub("(a path)", text)


def _intensities(store: Store, scan: Scan, sites: list[str]) -> dict[str, Any]:
    """Sum up the stored values of each channel, over all images, by site and by class."""
    order = np.unique(store.sites).tolist()
    by_site = {name: _summary(scan.by_site[order.index(name)], scan.levels) for name in sites}
    names = [part.name for part in measure.classes(store)]
    return {
        "every_pixel": scan.step == 1,
        "step": scan.step,
        "range": scan.ends.tolist(),
        "all": _summary(scan.by_site.sum(axis=0), scan.levels),
        "by_site": by_site,
        "by_class": {
            name: _summary(counts, scan.levels)
            for name, counts in zip(names, scan.by_class, strict=True)
        },
    }


def _summary(histogram: np.ndarray, levels: np.ndarray) -> list[dict[str, float | None]]:
    """Compute mean, spread and percentiles of each channel from its (C, 256) histogram."""
    found: list[dict[str, float | None]] = []
    for counts, values in zip(histogram, levels, strict=True):
        total = counts.sum()
        if not total:
            found.append(dict.fromkeys(("mean", "std", "p1", "median", "p99")))
            continue
        mean = float(counts @ values / total)
        spread = float(np.sqrt(max(0.0, counts @ (values - mean) ** 2 / total)))
        sums = np.cumsum(counts)
        low, middle, high = (values[np.searchsorted(sums, q * total)] for q in (0.01, 0.5, 0.99))
        found.append(
            {
                "mean": mean,
                "std": spread,
                "p1": float(low),
                "median": float(middle),
                "p99": float(high),
            }
        )
    return found


def _duplicates(store: Store, pairs: leaks.Pairs) -> dict[str, Any]:
    relation = leaks.relations(store, pairs)
    everything = np.ones(len(pairs), dtype=bool)
    kinds = {"exact": pairs.exact, "near": ~pairs.exact, "all": everything}
    # Pairs across folds come first, then across groups, then those of other labels; within these
    # they keep their order.
    risk = np.lexsort(
        [~relation["other_labels"], ~relation["other_group"], ~relation["across_folds"]]
    )
    return {
        "method": asdict(ALIKE),
        "complete": pairs.complete,
        **{
            kind: asdict(leaks.count_pairs(pairs, relation, chosen))
            for kind, chosen in kinds.items()
        },
        "copied_from_training": leaks.copied_from_training(store, pairs),
        "pairs": [
            {
                "kind": "exact" if pairs.exact[k] else "near",
                "bits": int(pairs.bits[k]),
                "correlation": round(float(pairs.correlation[k]), 4),
                **{name: bool(flag[k]) for name, flag in relation.items()},
                "images": [_describe(store, int(row)) for row in (pairs.first[k], pairs.second[k])],
            }
            for k in risk[:SHOWN_PAIRS]
        ],
    }


def _describe(store: Store, row: int) -> dict[str, Any]:
    labels = np.flatnonzero(measure.indicators(store)[row]) if store.labels.ndim == 2 else None
    chosen = [int(store.labels[row])] if labels is None else labels.tolist()
    return {
        "row": row,
        "id": str(store.ids[row]),
        "labels": [store.info.classes[k] for k in chosen],
        "group": str(store.groups[row]),
        "site": str(store.sites[row]),
        "fold": str(store.folds[row]),
    }


def _preparation(store: Store) -> dict[str, Any] | None:
    """Repeat what ``prepare.json`` says, without paths; None for a store that has none."""
    path = store.path / PREPARATION
    if not path.is_file():
        return None
    try:
        record = load_json(path)
        excluded = [
            {"file": hide_paths(one["file"]), "reason": hide_paths(one["reason"])}
            for one in record.get("excluded_files", ())
        ]
        return {
            "kept": record.get("kept", len(store)),
            "missing": record.get("missing", 0),
            "excluded": record.get("excluded", len(excluded)),
            "warnings": [hide_paths(text) for text in record.get("warnings", ())],
            "settings": _without_paths(record.get("settings", {})),
            "remarks": dict(
                Counter(
                    hide_paths(text)
                    for texts in record.get("remarks", {}).values()
                    for text in texts
                ).most_common()
            ),
            "excluded_by_reason": {
                hide_paths(reason): count
                for reason, count in record.get("excluded_by_reason", {}).items()
            },
            "excluded_files": excluded[:SHOWN_EXCLUDED],
        }
    except (ValueError, AttributeError, KeyError, TypeError) as error:
        raise MedflError(
            f"{path} is not what `medfl prepare` writes: make the store again with --force."
        ) from error


def _without_paths(value: Any) -> Any:
    if isinstance(value, str):
        return hide_paths(value)
    if isinstance(value, Mapping):
        return {str(key): _without_paths(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_without_paths(one) for one in value]
    return value


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [asdict(one) for one in value]
    return None if value is None else asdict(value)
