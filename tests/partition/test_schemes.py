"""What every split owes, whatever its scheme, and what each scheme adds."""

import numpy as np
import pytest

from medfl.partition import PARTITIONS, make_split, parse_partition, partition_title
from medfl.partition.deal import whole
from medfl.partition.label import dirichlet_shares
from medfl.partition.quantity import dirichlet_sizes
from medfl.partition.scheme import plain_number

SCHEMES = [
    ("iid", 7),
    ("dirichlet-0.5", 7),
    ("dirichlet-0.01", 7),
    ("dirichlet-100", 7),
    ("pathological-2", 7),
    ("quantity-1.5", 7),
    ("dirichletquantity-0.3", 7),
    ("noise-0.1", 7),
    ("scanner-0.5", 7),
    ("site", None),
    ("site", 4),
    ("site-dirichlet-0.3", 9),
    ("site-dirichlet-0.3", None),
    ("pooled", None),
]


def test_every_partition_is_in_this_suite():
    """All but ``custom``, which a dataset's own class makes (tests/data/own), and ``leave-out``,
    whose folds are its own (test_leave_out.py).
    """
    known = {parse_partition(word).name for word, _ in SCHEMES}
    assert known == set(PARTITIONS) - {"custom", "leave-out"}
    assert all(PARTITIONS.load(name).title for name in PARTITIONS)
    assert partition_title("dirichlet-0.5") == "Dirichlet α = 0.5"
    assert partition_title("site-dirichlet-0.3") == "Sites, Dirichlet α = 0.3"
    assert partition_title("iid") == "IID"
    assert partition_title("unheard-of-3") == "unheard-of-3"


@pytest.mark.parametrize("multilabel", [False, True])
@pytest.mark.parametrize(("word", "clients"), SCHEMES)
def test_every_split_keeps_groups_whole_and_clients_fed(make_patients, word, clients, multilabel):
    for seed in range(4):
        store = make_patients(seed, 160, 4, sites=4, multilabel=multilabel)
        split = make_split(store, word, clients, seed, min_samples=3)
        for kind in (split.clients, split.folds):
            pairs = {(g, k) for g, k in zip(store.groups, kind, strict=True)}
            assert len(pairs) == len(set(store.groups))
        counts = split.counts()
        assert counts.sum() == len(store.ids)
        assert counts[:, 0].min() >= 3
        assert counts[:, 2].min() >= 1
        shares = counts.sum(0) / counts.sum()
        assert shares == pytest.approx([0.65, 0.15, 0.2], abs=0.04)
        rows = [
            split.indices(c, f) for c in range(split.num_clients) for f in ("train", "val", "test")
        ]
        assert all((np.diff(own) > 0).all() for own in rows)
        np.testing.assert_array_equal(np.sort(np.concatenate(rows)), np.arange(len(store.ids)))


def test_a_seed_decides_everything_and_another_changes_it(make_patients):
    store = make_patients(0, 120, 3)
    one, same, other = (make_split(store, "dirichlet-0.5", 5, seed) for seed in (3, 3, 4))
    np.testing.assert_array_equal(one.clients, same.clients)
    np.testing.assert_array_equal(one.folds, same.folds)
    assert (one.clients != other.clients).any()
    assert (one.folds != other.folds).any()


def test_all_partitions_of_a_seed_share_their_folds(make_patients):
    store = make_patients(1, 160, 4, sites=4)
    folds = [make_split(store, word, clients, 2).folds for word, clients in SCHEMES]
    for other in folds[1:]:
        np.testing.assert_array_equal(folds[0], other)


@pytest.mark.parametrize("word", ["iid", "dirichlet-0.3", "pathological-2", "quantity-1"])
def test_the_order_of_classes_and_samples_changes_nothing(make_patients, make_store, word):
    store = make_patients(2, 120, 5)
    split = make_split(store, word, 6, 1)
    order = np.array([3, 0, 4, 1, 2])
    renumbered = make_store(
        np.argsort(order)[store.labels],
        classes=np.array(store.info.classes)[order].tolist(),
        groups=store.groups,
    )
    np.testing.assert_array_equal(make_split(renumbered, word, 6, 1).clients, split.clients)
    shuffle = np.random.default_rng(0).permutation(len(store.ids))
    shuffled = make_store(
        store.labels[shuffle], classes=store.info.classes, groups=store.groups[shuffle]
    )
    again = make_split(shuffled, word, 6, 1)
    np.testing.assert_array_equal(again.clients, split.clients[shuffle])
    np.testing.assert_array_equal(again.folds, split.folds[shuffle])


def test_iid_clients_are_alike(make_store):
    store = make_store(np.repeat([0, 1, 2], [400, 200, 40]))
    split = make_split(store, "iid", 8, 0)
    for fold in ("train", "test"):
        counts = _table(store, split, fold)
        assert np.ptp(counts, axis=0).max() <= 1
        assert np.ptp(counts.sum(1)) <= 1


def _table(store, split, fold="train"):
    rows = [split.indices(client, fold) for client in range(split.num_clients)]
    return np.array(
        [np.bincount(store.labels[own], minlength=store.labels.max() + 1) for own in rows]
    )


def test_dirichlet_shares_have_the_mean_and_variance_of_the_law():
    """Dir(alpha 1_M): mean 1/M, variance (1/M)(1 - 1/M)/(M alpha + 1), for every class."""
    names = ("first", "second", "last")
    for alpha, clients in ((0.1, 5), (1.0, 4)):
        draws = np.array([dirichlet_shares(names, clients, alpha, seed) for seed in range(1500)])
        assert draws.shape == (1500, clients, 3)
        assert draws.sum(1) == pytest.approx(1)
        mean = 1 / clients
        variance = mean * (1 - mean) / (clients * alpha + 1)
        # Four standard errors of a mean over 1500 draws.
        assert draws.mean(0) == pytest.approx(mean, abs=4 * np.sqrt(variance / 1500))
        assert draws.var(0) == pytest.approx(variance, rel=0.15)
        # Classes are drawn independently of each other.
        assert abs(np.corrcoef(draws[:, 0, 0], draws[:, 0, 2])[0, 1]) < 0.1


def test_dirichlet_shares_of_a_class_depend_on_its_name_alone():
    shares = dirichlet_shares(("a", "b", "c"), 5, 0.5, 0)
    np.testing.assert_array_equal(dirichlet_shares(("c", "a"), 5, 0.5, 0), shares[:, [2, 0]])


@pytest.mark.parametrize("alpha", [0.3, 1.0])
def test_dirichlet_counts_are_the_shares_rounded(make_store, alpha):
    store = make_store(np.arange(600) % 3)
    for seed in range(8):
        split = make_split(store, f"dirichlet-{alpha}", 4, seed, min_samples=1)
        shares = dirichlet_shares(store.info.classes, 4, alpha, seed)
        for fold in ("train", "val", "test"):
            counts = _table(store, split, fold)
            assert np.abs(counts - shares * counts.sum(0)).max() < 1 + split.moved


def test_dirichlet_has_no_bias_by_class_order(make_store):
    """The last classes come out as skewed as the first, and no client is larger on average."""
    store = make_store(np.arange(400) % 10)
    largest, sizes = [], []
    for seed in range(50):
        counts = _table(store, make_split(store, "dirichlet-0.3", 5, seed))
        largest.append((counts / counts.sum(0)).max(0))
        sizes.append(counts.sum(1) / counts.sum())
    largest, sizes = np.array(largest), np.array(sizes)
    error = largest.std() / np.sqrt(len(largest))
    assert np.abs(largest.mean(0) - largest.mean()).max() < 4 * error
    assert np.abs(sizes.mean(0) - 0.2).max() < 4 * sizes.std() / np.sqrt(len(sizes))


def test_random_rounding_is_unbiased_and_keeps_sums():
    desired = np.array([[0.1, 2.5, 0.0], [0.2, 0.5, 4.0], [0.7, 1.0, 1.0]])
    rng = np.random.default_rng(0)
    drawn = np.array([whole(desired, rng) for _ in range(3000)])
    assert (drawn.sum(1) == [1, 4, 5]).all()
    assert np.abs(drawn - desired).max() < 1
    assert drawn.mean(0) == pytest.approx(desired, abs=0.04)


def test_smaller_alpha_is_more_skewed(make_store):
    store = make_store(np.arange(800) % 4)

    def dominance(word):
        counts = [_table(store, make_split(store, word, 8, seed)) for seed in range(4)]
        return np.mean([(c.max(1) / c.sum(1)).mean() for c in counts])

    values = [dominance(word) for word in ("dirichlet-0.01", "dirichlet-0.5", "dirichlet-100")]
    assert values[0] > 0.85 > values[1] > 0.4 > values[2] >= 0.25


def test_tiny_alpha_gives_whole_classes_to_one_client(make_store):
    store = make_store(np.arange(800) % 4)
    split = make_split(store, "dirichlet-0.000001", 4, 0, min_samples=2)
    counts = _table(store, split)
    assert ((counts > 0).sum(1) >= 1).all()
    assert (counts.max(0) >= 124).all()
    assert split.moved < 20


def test_multilabel_dirichlet_skews_every_label(make_store):
    rng = np.random.default_rng(0)
    labels = (rng.random((3000, 5)) < [0.05, 0.1, 0.2, 0.1, 0.3]).astype(np.uint8)
    store = make_store(labels, task="multilabel")
    for word, low, high in (("dirichlet-0.1", 0.45, 1.0), ("iid", 0.24, 0.27)):
        split = make_split(store, word, 4, 0)
        rows = [split.indices(client, "train") for client in range(4)]
        counts = np.array([labels[own].sum(0) for own in rows])
        largest = (counts / counts.sum(0)).max(0)
        assert low < largest.mean() <= high


@pytest.mark.parametrize(("k", "clients"), [(1, 5), (1, 12), (2, 3), (3, 10), (5, 4)])
def test_pathological_clients_hold_exactly_k_classes_and_no_class_is_lost(
    make_patients, k, clients
):
    for seed in range(5):
        store = make_patients(seed, 300, 5)
        split = make_split(store, f"pathological-{k}", clients, seed)
        train, test = _table(store, split), _table(store, split, "test")
        assert ((train > 0).sum(1) == k).all()
        assert (train.sum(0) > 0).all()
        assert not ((test > 0) & (train == 0)).any()


def test_pathological_holders_share_a_class_equally(make_store):
    store = make_store(np.arange(600) % 3)
    counts = _table(store, make_split(store, "pathological-2", 6, 0))
    # 130 training samples a class, 6·2/3 = 4 holders: 32 or 33 each.
    assert sorted(set(counts.ravel())) == [0, 32, 33]


def test_pathological_holders_of_odd_classes_hold_as_many_samples_in_all(make_store):
    """33 training samples of each of two classes, two holders each: 17 + 16 and 16 + 17."""
    folds = np.tile(["train"] * 33 + ["val"] * 2 + ["test"] * 2, 2)
    store = make_store(np.repeat([0, 1], 37), folds=folds)
    for seed in range(8):
        counts = _table(store, make_split(store, "pathological-2", 2, seed))
        assert sorted(counts.tolist()) == [[16, 17], [17, 16]]


def test_pathological_by_majority_where_a_patient_has_several_classes(make_store):
    groups = np.repeat(np.arange(60), 3)
    labels = np.repeat(np.arange(60) % 3, 3)
    labels[::9] = (labels[::9] + 1) % 3
    store = make_store(labels, groups=groups.astype(str))
    split = make_split(store, "pathological-1", 3, 0)
    held = {
        (c, np.bincount(labels[groups == g]).argmax())
        for g, c in zip(groups, split.clients, strict=True)
    }
    assert len(held) == 3


def test_quantity_follows_the_power_law(make_store):
    """Sizes 1000/(1 + 1/2 + 1/3 + 1/4) · (1, 1/2, 1/3, 1/4) = 480, 240, 160, 120."""
    store = make_store(np.zeros(1000, int) + (np.arange(1000) % 2), folds=_folds(1000, 400, 400))
    store.folds[:1000] = "train"
    store.folds[0:4], store.folds[4:8] = "val", "test"
    sizes = make_split(store, "quantity-1", 4, 0).counts()[:, 0]
    assert sizes == pytest.approx(np.array([480, 240, 160, 120]) * 0.992, abs=2)
    assert np.ptp(make_split(store, "quantity-0", 4, 0).counts()[:, 0]) <= 2


def _folds(number, val, test):
    folds = np.full(number, "train", "<U5")
    folds[:val], folds[val : val + test] = "val", "test"
    return folds


def test_quantity_keeps_the_mixture_on_average_in_small_clients_too(make_store):
    """A rare class must not vanish from all small clients by rounding."""
    store = make_store(np.repeat([0, 1], [360, 40]))
    counts = sum(_table(store, make_split(store, "quantity-1.5", 10, seed)) for seed in range(40))
    small = counts[5:].sum(0)
    # A tenth is expected, ± 0.01 of chance; dealing to the largest wish first gives 0.
    assert small[1] / small.sum() == pytest.approx(0.1, abs=0.02)


def test_dirichletquantity_varies_sizes_but_not_the_mixture(make_store):
    store = make_store(np.arange(600) % 3)
    for seed in range(5):
        counts = _table(store, make_split(store, "dirichletquantity-1", 5, seed, min_samples=1))
        assert np.ptp(counts, axis=1).max() <= 2
        expected = dirichlet_sizes(5, 1.0, seed) * counts.sum()
        assert counts.sum(1) == pytest.approx(expected, abs=3)
    # Variance (1/5)(4/5)/(5 + 1) = 0.0267 of the symmetric Dirichlet with alpha 1.
    drawn = [dirichlet_sizes(5, 1.0, seed) for seed in range(1500)]
    assert np.var(drawn, axis=0) == pytest.approx(0.16 / 6, rel=0.15)


def test_site_clients_are_the_sites(make_patients):
    store = make_patients(0, 160, 4, sites=4)
    split = make_split(store, "site", None, 0)
    assert split.client_names == ("site0", "site1", "site2", "site3")
    np.testing.assert_array_equal(np.array(split.client_names)[split.clients], store.sites)


def test_a_group_at_two_sites_goes_with_most_of_its_samples(make_store):
    groups = ["both"] * 3 + [f"g{i}" for i in range(40)]
    sites = ["b", "a", "b"] + ["a", "b"] * 20
    store = make_store([0, 0, 0] + [0, 0, 1, 1] * 10, groups=groups, sites=sites)
    split = make_split(store, "site", None, 0)
    assert split.clients[:3].tolist() == [1, 1, 1]


def test_site_dirichlet_divides_sites_by_their_size(make_store):
    """D'Hondt: sites of 300 and 100 groups, 4 clients: 300/1, 300/2, 300/3 ≥ 100/1 → 3 and 1."""
    store = make_store(np.arange(400) % 2, sites=np.repeat(["large", "small"], [300, 100]))
    split = make_split(store, "site-dirichlet-0.5", 4, 0)
    assert split.client_names == ("large/1", "large/2", "large/3", "small")
    assert set(split.clients[:300]) == {0, 1, 2}
    assert set(split.clients[300:]) == {3}
    assert make_split(store, "site-dirichlet-0.5", None, 0).num_clients == 4


def test_official_folds_are_kept_and_validation_is_carved_from_training(make_store):
    folds = np.array(["train", "val", "test", "train"] * 50)
    labels = np.arange(200) // 4 % 2
    store = make_store(labels, folds=folds)
    for seed in range(2):
        np.testing.assert_array_equal(make_split(store, "iid", 3, seed).folds, folds)
    folds = np.where(folds == "val", "train", folds)
    split = make_split(make_store(labels, folds=folds), "iid", 3, 0)
    np.testing.assert_array_equal(split.folds == "test", folds == "test")
    # 150 training samples, 0.15/0.8 of them: 28.
    assert (split.folds == "val").sum() == pytest.approx(28, abs=1)


def test_official_folds_are_left_on_request_for_folds_by_group_that_the_seed_draws(make_store):
    groups = np.repeat(np.arange(50), 4)
    official = np.where(np.arange(200) < 120, "train", "test")
    store = make_store(groups % 2, folds=official, groups=[f"g{group}" for group in groups])
    tests = []
    for seed in range(2):
        folds = make_split(store, "iid", 3, seed, official_folds=False).folds.reshape(50, 4)
        assert (folds == folds[:, :1]).all()  # no group is cut
        # 0.2 and 0.15 of 200 samples, by whole groups of 4.
        assert (folds == "test").sum() == pytest.approx(40, abs=4)
        assert (folds == "val").sum() == pytest.approx(30, abs=4)
        tests.append(folds[:, 0] == "test")
    assert (tests[0] != tests[1]).any()
    assert all(len(set(official.reshape(50, 4)[test, 0])) == 2 for test in tests)


def test_one_test_fold_for_all_seeds_whatever_the_partition(make_store):
    """By hand: 0.2 of 50 groups of 4, then 0.15 of all; the seed draws validation alone."""
    groups = np.repeat(np.arange(50), 4)
    store = make_store(groups % 2, groups=[f"g{group}" for group in groups])
    found = {}
    for seed in range(3):
        for word in ("iid", "dirichlet-0.1"):
            folds = make_split(store, word, 3, seed, test_seed=7).folds.reshape(50, 4)
            assert (folds == folds[:, :1]).all()  # no group is cut
            assert (folds == "test").sum() == pytest.approx(40, abs=4)
            assert (folds == "val").sum() == pytest.approx(30, abs=4)
            found[seed, word] = folds[:, 0]
    tests = {tuple(folds == "test") for folds in found.values()}
    vals = {tuple(found[seed, "iid"] == "val") for seed in range(3)}
    assert (len(tests), len(vals)) == (1, 3)
    assert all((found[seed, "iid"] == found[seed, "dirichlet-0.1"]).all() for seed in range(3))
    other = make_split(store, "iid", 3, 0, test_seed=8).folds.reshape(50, 4)[:, 0]
    assert tuple(other == "test") not in tests


def test_official_folds_come_before_a_seed_of_the_test_fold(make_store):
    official = np.where(np.arange(200) < 120, "train", "test")
    store = make_store(np.arange(200) % 2, folds=official)
    folds = [make_split(store, "iid", 3, 0, test_seed=seed).folds for seed in (None, 7)]
    assert (folds[0] == folds[1]).all()
    assert ((folds[0] == "test") == (official == "test")).all()


def test_folds_are_stratified_by_label_and_site(make_store):
    labels = np.repeat([0, 1], [900, 100])
    sites = np.tile(["a", "b", "b", "b"], 250)
    store = make_store(labels, sites=sites)
    test = make_split(store, "iid", 2, 0).pooled("test")
    assert np.bincount(labels[test]) == pytest.approx([180, 20], abs=1)
    assert (sites[test] == "a").sum() == pytest.approx(50, abs=2)


def test_moved_samples_are_counted(make_store):
    store = make_store(np.arange(300) % 3)
    split = make_split(store, "dirichlet-0.000001", 10, 0, min_samples=4)
    assert split.counts()[:, 0].min() == 4
    assert split.moved >= 7 * 4


def test_natural_is_only_what_the_data_decide():
    assert parse_partition("site").natural
    assert not parse_partition("site-dirichlet-0.5").natural
    assert parse_partition("site-dirichlet-0.5").number == 0.5
    assert parse_partition("pathological-3").number == 3


@pytest.mark.parametrize(
    ("number", "written"),
    [
        *((2.0, "2"), (0.1, "0.1"), (5e-5, "0.00005"), (-5e-5, "-0.00005")),
        *((123456789.5, "123456789.5"), (1e14, "100000000000000"), (1e-7, "1e-07")),
        *((1e-6, "0.000001"), (-3.0, "-3"), (1e16, "1e+16"), (-1e16, "-1e+16")),
    ],
)
def test_a_number_is_written_without_an_exponent_where_it_is_of_a_usual_size(number, written):
    assert plain_number(number) == written


def test_a_built_in_word_is_parsed_once():
    """A grid of thousands of runs asks for its few words again and again."""
    assert parse_partition("dirichlet-0.5") is parse_partition("dirichlet-0.5")
