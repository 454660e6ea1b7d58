"""What is searched of a grid's arms, and mistakes that are found before anything runs."""

from __future__ import annotations

import pytest

from medfl.errors import MedflError
from medfl.federated.fingerprint import fingerprint
from medfl.grid import Cell, load_grid
from medfl.tuning.search import point_config, points_of, search_sha, tuned_on

PROX = {"algorithm": "fedprox", "mu": 0.1}
CELL = Cell("phantom", "iid", "prox", 1)


def grid(search=None, tune=None, **changes):
    content = {
        "arms_file": None,
        "arm_settings": {
            "fedavg": {"algorithm": "fedavg"},
            "prox": PROX if search is None else {**PROX, "search": search},
        },
        "datasets": ["phantom"],
        "partitions": ["iid"],
        "arms": ["fedavg", "prox"],
        "seeds": [0, 1],
        "run": {"training": {"learning_rate": 0.2}},
        "tune": {"points": 3, **(tune or {})},
        **changes,
    }
    return load_grid(content, "grid.yaml")


def test_every_arm_has_as_many_points_and_each_of_them_a_learning_rate():
    found = grid({"mu": {"low": 0.01, "high": 1.0}})
    fedavg = points_of(found, Cell("phantom", "iid", "fedavg", 0))
    assert [one["training.learning_rate"] for one in fedavg] == [0.2, 0.06325, 0.6325]
    prox = points_of(found, CELL)
    # 1/2 of both decades' logarithms would be (0.2, mu at 1/3): 10^(-2 + 2/3).
    assert prox == [
        {"training.learning_rate": 0.2, "mu": 0.1},
        {"training.learning_rate": 0.2, "mu": 0.04642},
        {"training.learning_rate": 0.06325, "mu": 0.2154},
    ]


def test_an_arms_own_range_of_the_learning_rate_counts():
    found = grid({"training.learning_rate": [0.2, 0.3, 0.4]})
    assert [one["training.learning_rate"] for one in points_of(found, CELL)] == [0.2, 0.3, 0.4]


def test_a_point_is_trained_on_the_cells_folds_with_the_tuning_seed():
    found = grid({"mu": {"low": 0.01, "high": 1.0}}, {"seed": 77})
    config = point_config(found, CELL, points_of(found, CELL)[2])
    assert (config.seed, config.split_seed, config.folds_seed) == (77, 1, 1)
    assert config.training.learning_rate == 0.06325
    assert config.federated_learning.algorithm_params == {"mu": 0.2154}
    # Point 1 is the shipped run but for its stream.
    first = point_config(found, CELL, points_of(found, CELL)[0]).model_copy(
        update={"seed": 1, "split_seed": None}
    )
    assert fingerprint(first) == fingerprint(found.run_config(CELL))


def test_a_link_of_the_whole_grid_stays_where_its_parameter_is_searched():
    links = {"clip": {"norm": 1.0}, "quantize": {"bits": 8}}
    found = grid(
        {"chain.links.clip.norm": {"low": 0.5, "high": 2.0}},
        run={"chain": {"links": links}},
    )
    chain = point_config(found, CELL, points_of(found, CELL)[2]).chain
    assert chain.links["quantize"] == {"bits": 8}
    assert chain.links["clip"]["norm"] != 1.0
    assert found.run_config(CELL).chain.links["clip"] == {"norm": 1.0}


def test_a_search_changes_no_run_and_more_points_another_search():
    plain = grid(tune=None)
    searched = grid({"mu": {"low": 0.01, "high": 1.0}})
    assert fingerprint(plain.run_config(CELL)) == fingerprint(searched.run_config(CELL))
    assert search_sha(plain, CELL) != search_sha(searched, CELL)
    assert search_sha(plain, CELL) != search_sha(grid(tune={"points": 4}), CELL)


def test_folds_of_each_seed_or_of_the_first_for_all():
    assert tuned_on(grid(), CELL) == CELL
    assert tuned_on(grid(tune={"folds": "first"}), CELL).seed == 0


@pytest.mark.parametrize(
    ("search", "words"),
    [
        ({"mu": {"low": 1.0, "high": 0.1}}, "search.mu: .*low is 1 and high 0.1: they are swapped"),
        ({"mu": {"low": 0.1, "high": 0.1}}, "low and high are both 0.1, which is one point"),
        ({"mu": {"low": 1, "high": 1}}, "search.mu: low and high are both 1, which is one point"),
        ({"mu": {"low": 0, "high": 1}}, "low is 0, but a logarithmic range begins above 0"),
        ({"mu": {"low": 0.1, "hihg": 1}}, "unknown key `hihg`; did you mean `high`"),
        ({"mu": [0.1]}, "search.mu: a list of 1 leaves nothing to search"),
        ({"mu": [0.1, 0.1]}, "search.mu: a value stands there twice"),
        ({"muu": [0.1, 0.2]}, "search: unknown key `muu`; did you mean `mu`"),
        ({"training.lerning_rate": [0.1, 0.2]}, "unknown key `training.lerning_rate`; did you"),
        ({"training.device": ["cpu", "cuda"]}, "says where a run is computed"),
        ({"federated_learning.rounds": [1, 2]}, "is no setting that may be searched"),
        ({"training.optimizer": {"low": 1, "high": 2}}, 'and this is "sgd": give a list'),
        (
            {"mu": [0.1, -1]},
            "learning_rate 0.06325, mu -1 of its search is no run",
        ),
        ({"training.learning_rate": [0.2, 0.3]}, "it has 2 different points, and 3 are asked for"),
        ([1, 2], "search: a range or a list of values is meant for each setting"),
        ({"mu": 0.1}, r"search.mu: a range such as \{low: 0.01, high: 1\} or a list of values"),
        ({"mu": {"low": 0.1}}, "search.mu: `high`: Field required"),
        (
            {"training": {"learning_rate": [0.1, 0.2]}},
            "search.training: write it as a path, `training.learning_rate`",
        ),
        ({"learning_rate": [0.1, 0.2]}, r"did you mean `training\.learning_rate`\?"),
    ],
)
def test_a_wrong_search_is_one_sentence_with_the_arm(search, words):
    with pytest.raises(MedflError, match=words) as found:
        grid(search)
    assert "arm `prox`" in str(found.value)
    assert "\n" not in str(found.value)


def test_an_arm_without_a_space_has_the_learning_rate_and_no_budget_of_its_own():
    """`tune` is the grid's: an arm that had more points than another would win by them."""
    fedavg = Cell("phantom", "iid", "fedavg", 0)
    assert {tuple(values) for values in points_of(grid(), fedavg)} == {("training.learning_rate",)}
    words = "arm `fedavg`: `tune` is the grid's, since all arms get as many points"
    with pytest.raises(MedflError, match=words):
        grid(arm_settings={"fedavg": {"algorithm": "fedavg", "tune": {"points": 9}}, "prox": PROX})


def test_epsilon_is_promised_and_not_searched():
    search = {"chain.links.dp_image.target_epsilon": [1.0, 8.0]}
    with pytest.raises(MedflError, match="is what the arm promises: name an arm for each value"):
        grid(
            search,
            run={
                "federated_learning": {"local_steps": 2},
                "chain": {"links": {"dp_image": {"target_epsilon": 8.0}}},
            },
        )


@pytest.mark.parametrize(
    ("tune", "words"),
    [
        ({"seed": 1}, "tune.seed is 1, which is one of seeds too"),
        ({"points": 1}, "`tune.points`: Input should be greater than or equal to 2"),
        ({"points": 1001}, "`tune.points`: Input should be less than or equal to 1000"),
        ({"learning_rate": {"low": 2, "high": 1}}, "low is 2 and high 1: they are swapped"),
        ({"budget": 4}, "unknown key `tune.budget`"),
    ],
)
def test_a_wrong_tune_is_refused(tune, words):
    with pytest.raises(MedflError, match=words):
        grid(tune=tune)


@pytest.mark.parametrize(
    ("points", "words"),
    [
        ("0", "`tune.points`: Input should be greater than or equal to 2 (got 0)"),
        ("1", "`tune.points`: Input should be greater than or equal to 2 (got 1)"),
        ("abc", "argument --tune: 'abc' is no whole number in plain digits"),
        ("2.5", "argument --tune: '2.5' is no whole number in plain digits"),
    ],
)
def test_a_benchmark_says_what_a_number_of_points_is(points, words, tmp_path, monkeypatch, capsys):
    from medfl.cli import main

    monkeypatch.chdir(tmp_path)
    try:
        code = main(["benchmark", "--algorithms", "fedavg", "--dry-run", "--tune", points])
    except SystemExit as left:
        code = left.code
    assert code == 2
    said = capsys.readouterr().err
    assert said.count(words) == 1
    assert "Traceback" not in said
    assert not list(tmp_path.iterdir())


def test_a_benchmark_tunes_with_one_option():
    from medfl.commands.call import parser
    from medfl.pipeline.launch import build_grid

    words = ["benchmark", "--algorithms", "fedavg,fedprox"]
    assert "tune" not in build_grid(parser().parse_args(words))
    found = load_grid(build_grid(parser().parse_args([*words, "--tune", "8"])), "the benchmark")
    cells = [Cell("phantom", found.partitions[0], arm, 0) for arm in ("fedavg", "fedprox")]
    assert [len(points_of(found, cell)) for cell in cells] == [8, 8]
    assert "mu" in points_of(found, cells[1])[0]
