"""HAM10000's real sources and lesions, from its published table (no pixels)."""

import csv

import numpy as np

from medfl.partition import heterogeneity, make_split


def test_ham10000_by_source_and_by_dirichlet(real_data, make_store):
    with open(real_data / "ham10000" / "HAM10000_metadata", newline="") as file:
        rows = list(csv.DictReader(file))
    classes = sorted({row["dx"] for row in rows})
    store = make_store(
        [classes.index(row["dx"]) for row in rows],
        classes=classes,
        groups=[row["lesion_id"] for row in rows],
        sites=[row["dataset"] for row in rows],
    )
    sites = make_split(store, "site", None, 0)
    assert sites.client_names == ("rosendahl", "vidir_modern", "vidir_molemax", "vienna_dias")
    # Nine lesions were photographed at two sources, and go with most of their images.
    elsewhere = np.array(sites.client_names)[sites.clients] != store.sites
    assert 0 < elsewhere.sum() <= 2 * 9
    mole = store.labels[sites.indices(2, "train")]
    assert np.mean(mole == classes.index("nv")) > 0.93
    skewed = make_split(store, "dirichlet-0.1", 10, 0)
    np.testing.assert_array_equal(sites.folds, skewed.folds)
    for fold, share in (("train", 0.65), ("val", 0.15), ("test", 0.2)):
        inside = np.bincount(store.labels[sites.pooled(fold)])
        # Within three images of the target, for every class: a lesion has up to six.
        assert np.abs(inside - share * np.bincount(store.labels)).max() <= 3
    distance = [heterogeneity(s, store)["label_distance"]["pairwise_mean"] for s in (sites, skewed)]
    assert 0.3 < distance[0] < distance[1] < 0.9
