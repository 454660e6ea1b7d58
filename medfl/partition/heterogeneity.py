"""How heterogeneous a split came out: distances of labels and intensities, sizes, classes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from medfl.partition.asked import client_transform
from medfl.partition.folds import FOLDS
from medfl.partition.groups import label_indicator

if TYPE_CHECKING:
    from medfl.partition.split import Split
    from medfl.store import Store

_IMAGES_PER_CLIENT, _IMAGES_IN_ALL = 128, 8192


def heterogeneity(split: Split, store: Store) -> dict[str, Any]:
    """Measure a split on its training fold.

    - Label distance: Jensen–Shannon distance with logarithm base 2 (the root of the divergence,
      0 to 1; Lin, IEEE Trans. Inf. Theory 1991; Endres & Schindelin 2003) between clients' class
      distributions. Multi-label: the same between the two Bernoulli distributions of each label,
      averaged over labels.
    - Intensity distance: 1-Wasserstein distance between the distributions of pixels (0 to 1, all
      channels), as the clients' scanners show them; on at most 128 evenly spaced images per client.
    - Effective number of classes: exp of the entropy of a client's label counts.
    - Patients that the split divides, or who are at a second site, where there are any.
    - Sizes: minimum, median, maximum, coefficient of variation, Gini coefficient.

    Clients who take no part in training (``Split.unseen``) are in none of these; they are listed
    with their test samples.

    Returns:
        A dictionary fit for JSON; a distance between clients is None where there is one client.
    """
    counts = split.counts()
    trained = [client for client in range(split.num_clients) if client not in split.unseen]
    rows = {client: split.indices(client, "train") for client in trained}
    labels = label_indicator(store)
    carried = np.array([labels[own].sum(0) for own in rows.values()])
    sizes = counts[trained, 0]
    pooled = split.pooled("train")
    if store.info.task == "multilabel":
        rates = np.vstack([carried / sizes[:, None], labels[pooled].mean(0)])
        points = np.stack([rates, 1 - rates], axis=2)
        kind = "Jensen-Shannon distance (base 2), mean over labels"
    else:
        points = np.vstack([carried / sizes[:, None], labels[pooled].mean(0)])[:, None, :]
        kind = "Jensen-Shannon distance (base 2)"
    effective = effective_classes(carried)
    histograms = _intensities(split, store, rows)
    overall = (histograms * sizes[:, None]).sum(0) / sizes.sum()
    measured = {
        client: {
            "effective_classes": _round(effective[place]),
            "label_distance": _round(jensen_shannon(points[[place]], points[-1:])[0]),
            "classes": dict(zip(store.info.classes, carried[place].tolist(), strict=True)),
        }
        for place, client in enumerate(trained)
    }
    nothing: dict[str, Any] = {"effective_classes": None, "label_distance": None}
    unseen = nothing | {"classes": dict.fromkeys(store.info.classes, 0), "unseen": True}
    names = split.client_names or [str(client) for client in range(split.num_clients)]
    return {
        "schema": 1,
        "dataset": store.info.name,
        "partition": split.partition,
        "seed": split.seed,
        "num_clients": split.num_clients,
        "client_names": list(split.client_names),
        "store_fingerprint": store.fingerprint(),
        "samples": len(split.samples) - split.left_out,
        "groups": len(np.unique(np.asarray(store.groups)[split.folds != ""])),
        "moved": split.moved,
        **split.divided.counts,
        "folds": dict(zip(FOLDS, counts.sum(0).tolist(), strict=True)),
        "label_distance": {
            "kind": kind,
            **_summary(points[:-1], points[-1:], jensen_shannon),
        },
        "intensity_distance": {
            "kind": "1-Wasserstein distance of pixels in [0, 1]",
            **_summary(histograms, overall[None], wasserstein),
        },
        "effective_classes": {
            "pooled": _round(effective_classes(labels[pooled].sum(0)[None])[0]),
            "min": _round(effective.min()),
            "mean": _round(effective.mean()),
            "max": _round(effective.max()),
        },
        "sizes": {
            "min": int(sizes.min()),
            "median": float(np.median(sizes)),
            "max": int(sizes.max()),
            "cv": _round(sizes.std() / sizes.mean()),
            "gini": _round(gini(sizes)),
        },
        "clients": [
            {
                "client": client,
                "name": names[client],
                **dict(zip(FOLDS, counts[client].tolist(), strict=True)),
                **measured.get(client, unseen),
            }
            for client in range(split.num_clients)
        ],
    }


def jensen_shannon(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """(n,) Jensen–Shannon distances, base 2, averaged over the second axis.

    Args:
        p: (n, L, K) distributions along the last axis.
        q: (n, L, K) or (1, L, K) distributions.
    """
    middle = (p + q) / 2
    divergence = (_relative_entropy(p, middle) + _relative_entropy(q, middle)) / 2
    # Rounding can leave a divergence of -1e-17 where the distributions are equal.
    return np.sqrt(np.clip(divergence, 0, 1)).mean(-1)


def _relative_entropy(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """Kullback–Leibler divergence in bits; 0 log 0 = 0. ``q`` is positive where ``p`` is."""
    ratio = np.divide(p, q, out=np.ones(np.broadcast_shapes(p.shape, q.shape)), where=p > 0)
    return (p * np.log2(ratio)).sum(-1)


def wasserstein(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """(n,) 1-Wasserstein distances between (n, B) histograms over equal steps of [0, 1].

    In one dimension it is the area between the two cumulative distributions (Vallender 1974).
    """
    between = np.abs(np.cumsum(p - q, axis=1))[:, :-1]
    return between.sum(1) / between.shape[1]


def effective_classes(counts: np.ndarray) -> np.ndarray:
    """(n,) exp of the entropy of (n, K) label counts: 1 for one class, K for K equal ones.

    The Hill number of order 1 (Hill, Ecology 1973); 0 for a client without any label.
    """
    total = counts.sum(1, keepdims=True)
    share = counts / np.maximum(total, 1)
    logarithm = np.log(share, out=np.zeros(share.shape), where=share > 0)
    return np.where(total[:, 0] > 0, np.exp(-(share * logarithm).sum(1)), 0.0)


def gini(sizes: np.ndarray) -> float:
    """Gini coefficient: 0 for equal sizes, towards 1 where one client holds all."""
    ordered = np.sort(sizes)
    rank = np.arange(1, len(ordered) + 1)
    return float((2 * rank - len(ordered) - 1) @ ordered / (len(ordered) * ordered.sum()))


def _summary(points: np.ndarray, overall: np.ndarray, distance: Any) -> dict[str, float | None]:
    """Mean and maximum of the distances between all pairs, and to the whole."""
    total, largest, pairs = 0.0, 0.0, 0
    for client in range(len(points) - 1):
        to_others = distance(points[client + 1 :], points[client : client + 1])
        total += float(to_others.sum())
        largest = max(largest, float(to_others.max()))
        pairs += len(to_others)
    to_global = distance(points, overall)
    return {
        "pairwise_mean": _round(total / pairs) if pairs else None,
        "pairwise_max": _round(largest) if pairs else None,
        "global_mean": _round(to_global.mean()),
        "global_max": _round(to_global.max()),
    }


def _intensities(split: Split, store: Store, rows: dict[int, np.ndarray]) -> np.ndarray:
    """(M, 256) distribution of pixels for each client of ``rows``, as its scanner shows them."""
    limit = min(_IMAGES_PER_CLIENT, max(4, _IMAGES_IN_ALL // split.num_clients))
    histograms = np.zeros((len(rows), 256))
    for place, (client, own) in enumerate(rows.items()):
        some = own[np.unique(np.linspace(0, len(own) - 1, min(limit, len(own))).astype(np.int64))]
        images = np.asarray(store.images[some])
        see = client_transform(split.partition, client, split.num_clients, split.seed)
        pixels = images if see is None else see(images)
        histograms[place] = np.bincount(_levels(pixels, store), minlength=256) / pixels.size
    return histograms


def _levels(pixels: np.ndarray, store: Store) -> np.ndarray:
    """Values as 256 levels: 16 bits over the mean ± 4 standard deviations of all channels."""
    if pixels.dtype == np.uint8:
        return pixels.ravel()
    mean, std = np.array(store.info.mean), np.array(store.info.std)
    full = np.iinfo(pixels.dtype).max
    low, high = (mean - 4 * std).min() * full, (mean + 4 * std).max() * full
    return np.clip((pixels.ravel() - low) * (256 / max(high - low, 1)), 0, 255).astype(np.int64)


def _round(value: float) -> float:
    """Six digits are enough to compare, and the same on every machine."""
    return round(float(value), 6)
