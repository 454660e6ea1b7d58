from __future__ import annotations

import csv
import json
import shutil
from dataclasses import replace

import pytest

from medfl.partition import partition_title
from medfl.report.cell_state import CellState
from medfl.report.grid_results import GridResults
from medfl.report.main_tables import main_table
from medfl.report.statistics import summarise
from medfl.report.steps import aggregate, headline
from medfl.results.column import format_megabytes
from medfl.results.columns import EVERYONE, MEGABYTES, OWN
from medfl.results.runs import read_grid_runs

ASKED = {OWN: ", own patients", EVERYONE: ", for everyone"}


def table(cells, results_dir, partial=False, question=OWN):
    """The columns of the main table that answer a question, and those that answer none."""
    made = main_table(GridResults(read_grid_runs(cells, results_dir, partial=partial)), "toy")
    other = ASKED[EVERYONE if question == OWN else OWN]
    kept = [k for k, word in enumerate(made.header[1:]) if other not in word]
    header = tuple(made.header[1 + k].replace(ASKED[question], "") for k in kept)
    rows = tuple(replace(row, entries=tuple(row.entries[k] for k in kept)) for row in made.rows)
    return replace(made, header=("Arm", *header), rows=rows)


def texts(made, arm):
    row = next(row for row in made.rows if row.label.split(" ")[0] == arm)
    return dict(zip(made.header[1:], (entry.text for entry in row.entries), strict=True))


def bold(made, column):
    place = made.header.index(column) - 1
    return [row.label for row in made.rows if row.entries[place].best]


def test_columns_are_the_primary_metric_by_partition_rounds_and_the_others(cells, results_dir):
    made = table(cells, results_dir)
    assert made.title == "Test accuracy (%)"
    assert made.header == (
        *("Arm", "IID", "Dirichlet α = 0.5", "Rounds", "Steps"),
        *("Balanced accuracy (mean)", "Macro AUC (mean)", "Worst client (mean)", "MB (mean)"),
    )
    for path in results_dir.rglob("metrics.json"):
        path.write_text(json.dumps(json.loads(path.read_text()) | {"primary": "auc_macro"}))
    made = table(cells, results_dir, question=EVERYONE)
    assert made.title == "Macro AUC-ROC"
    assert made.header == (
        *("Arm", "IID", "Dirichlet α = 0.5", "Rounds", "Steps"),
        *("Accuracy (mean)", "Balanced accuracy (mean)", "Worst client (mean)", "MB (mean)"),
    )
    assert texts(made, "fedavg")["IID"] == "0.870 ± 0.020 ≈"


def test_every_arm_answers_both_questions_like_beside_like(cells, results_dir):
    own, everyone = (table(cells, results_dir, question=q) for q in (OWN, EVERYONE))
    # Models of clients' own are worth .3 less for everyone, those of the server the same.
    assert texts(own, "local")["IID"] == "61.0 ± 1.0"
    assert texts(everyone, "local")["IID"] == "31.0 ± 1.0 †", "its clients' models, in the mean"
    # All seeds of fedbn have one value, so no spread is shown.
    assert [texts(made, "fedbn")["IID"] for made in (own, everyone)] == ["85.0 ≈", "55.0 †"]
    assert texts(own, "fedavg")["IID"] == texts(everyone, "fedavg")["IID"] == "82.0 ± 2.0 ≈"
    assert any("mean over clients" in note for note in everyone.notes)


def test_one_column_is_enough_where_all_clients_use_one_model(cells, results_dir):
    some = [cell for cell in cells if cell.arm in ("fedavg", "fedprox", "centralized")]
    made = main_table(GridResults(read_grid_runs(some, results_dir)), "toy")
    assert made.header[:3] == ("Arm", "IID", "Dirichlet α = 0.5")
    assert texts(made, "no")["IID"] == "50.0", "by the shares among all training samples"


def test_the_line_of_chance_and_who_is_not_above_it(cells, results_dir):
    own = table(cells, results_dir)
    assert texts(own, "no")["IID"] == "62.0"
    assert own.rows[-1].label == "no image"
    remarks = [note for note in own.notes if note.startswith("REMARK") and "own patients" in note]
    # local: .61 and .41 beside .62; fedprox in the other partition: .63 with a deviation of .026.
    assert [note.split("accuracy, ")[1].split(" not")[0] for note in remarks] == [
        "local is",
        "local and fedprox are",
    ]
    everyone = table(cells, results_dir, question=EVERYONE)
    assert texts(everyone, "no")["IID"] == "50.0"
    assert "fedavg" not in " ".join(note for note in everyone.notes if "for everyone: in" in note)


def test_a_class_without_test_samples_is_named(cells, results_dir):
    assert not any("without any" in note for note in table(cells, results_dir).notes)
    path = results_dir / "runs/toy/iid/fedavg/seed0/metrics.json"
    record = json.loads(path.read_text())
    record["last"]["test"]["per_class"]["mass"]["n"] = 0
    path.write_text(json.dumps(record))
    assert any(
        "without any in at least one split: mass." in n for n in table(cells, results_dir).notes
    )


def test_a_class_that_no_one_trains_or_chooses_by_is_named(cells, results_dir):
    def notes():
        return [note for note in table(cells, results_dir).notes if "split" in note]

    def edit(change):
        path = results_dir / "runs/toy/iid/fedavg/seed0/metrics.json"
        record = json.loads(path.read_text())
        change(record)
        path.write_text(json.dumps(record))

    assert notes() == []
    dealt = [{"classes": {"mass": 0, "cat|egory": 3}}, {"classes": {"mass": 0, "cat|egory": 0}}]
    edit(lambda record: record["heterogeneity"].update(clients=dealt))
    (remark,) = notes()
    assert remark.startswith("REMARK: mass has test samples, but in at least one split no training")
    edit(lambda record: record["last"]["val"]["per_class"]["mass"].update(n=0))
    chosen, again = notes()
    assert again == remark
    assert chosen.startswith("Best round and rounds to the target go by the classes that the valid")
    assert chosen.endswith("have; without any in at least one split: mass.")
    # Without test samples nothing is lost by that.
    edit(lambda record: record["last"]["test"]["per_class"]["mass"].update(n=0))
    assert not any(note.startswith("REMARK") for note in notes())


def test_a_part_of_a_dataset_is_named_in_every_kind_of_table(cells, results_dir):
    assert "Data:" not in " ".join(table(cells, results_dir).notes)  # older records have no title
    for path in results_dir.rglob("metrics.json"):
        record = json.loads(path.read_text()) | {"dataset_title": "Toy set (part: 39 of 40 images)"}
        path.write_text(json.dumps(record))
    assert table(cells, results_dir).notes[0] == "Data: Toy set (part: 39 of 40 images)."
    aggregate(cells, results_dir)
    for ending in ("md", "tex"):
        assert "part: 39 of 40" in (results_dir / "tables" / f"comparison.{ending}").read_text()


def test_cells_by_hand(cells, results_dir):
    cell = texts(table(cells, results_dir), "fedavg")
    assert cell["IID"] == "82.0 ± 2.0 ≈"
    assert cell["Dirichlet α = 0.5"] == "72.0 ± 2.0"
    assert (cell["Rounds"], cell["Steps"]) == ("2", "21")
    # accuracy over both partitions by seed: .75 .78 .78, sd .01732; balanced is .1 below
    assert cell["Balanced accuracy (mean)"] == "67.0 ± 1.7"
    assert cell["Macro AUC (mean)"] == "0.820 ± 0.017"
    assert cell["Worst client (mean)"] == "67.0 ± 1.7 (n_test = 20)"
    assert cell["MB (mean)"] == "4.00"


@pytest.mark.parametrize(
    ("bytes_of", "said"),
    [
        ((2e6, 2e6, 2e6), "2.00"),
        ((2e6, 2e6, 2.00006e6), "2.00"),  # a deviation of 35 bytes would read ± 0.0000
        ((1e6, 2e6, 3e6), "2.00 ± 1.00"),
    ],
)
def test_a_spread_of_traffic_that_shows_as_nothing_is_left_out(bytes_of, said):
    megabytes = [value / 1e6 for value in bytes_of]
    assert CellState(summarise(megabytes), 3, 0, 0).describe(MEGABYTES) == said


def test_bold_is_told_from_all_others_and_else_those_that_may_be_best_are_marked(
    cells, results_dir
):
    own, everyone = (table(cells, results_dir, question=q) for q in (OWN, EVERYONE))
    # Of 1,000 patients 80 and more differ, with a spread over seeds of 1 to 3 points; 30 do not
    # suffice, nor do 10.
    assert bold(own, "Dirichlet α = 0.5") == ["fedbn †"]
    assert bold(everyone, "Dirichlet α = 0.5") == ["fedavg"]
    assert not any("≈" in row.entries[1].text for made in (own, everyone) for row in made.rows)
    assert bold(own, "IID") == bold(everyone, "IID") == []
    for made, may_be in (
        (own, ["fedavg", "fedprox", "fedbn †"]),
        (everyone, ["fedavg", "fedprox"]),
    ):
        assert [row.label for row in made.rows if "≈" in row.entries[0].text] == may_be
    assert bold(own, "Balanced accuracy (mean)") == [], "no claim is made of other metrics"


def test_who_trains_alone_competes_and_pooled_samples_do_not(cells, results_dir, fake):
    for seed, final in enumerate((0.90, 0.91, 0.92)):
        shutil.rmtree(results_dir / "runs/toy/dirichlet-0.5/local" / f"seed{seed}")
        cell = fake.Cell("toy", "dirichlet-0.5", "local", seed)
        fake.write_run(results_dir, cell, [0.3, final], evaluated="local", patients=1000)
    made = table(cells, results_dir)
    assert bold(made, "Dirichlet α = 0.5") == ["local †"], "by .11 and more"
    words = headline(aggregate(cells, results_dir), results_dir)
    assert "but local, without any federation, is better by 11.0 points" in words


def test_references_stand_apart(cells, results_dir):
    made = table(cells, results_dir, question=EVERYONE)
    assert bold(made, "MB (mean)") == []
    assert [(title, [row.label for row in rows]) for title, rows in made.groups()] == [
        ("One global model", ["fedavg", "fedprox"]),
        ("Personal models", ["fedbn †"]),
        ("References, not ranked", ["centralized", "local †"]),
        ("Without images, not ranked", ["no image"]),
    ]


def test_missing_and_diverged_cells_say_so_and_do_not_win(cells, results_dir, fake):
    runs = results_dir / "runs/toy/iid"
    shutil.rmtree(runs / "fedprox/seed2")
    shutil.rmtree(runs / "fedavg/seed0")
    fake.write_run(results_dir, fake.Cell("toy", "iid", "fedavg", 0), [0.3, 0.2], status="diverged")
    for seed in range(3):
        shutil.rmtree(runs / "local" / f"seed{seed}")
    made = table(cells, results_dir, partial=True, question=EVERYONE)
    # seeds 1 and 2 of fedavg: .82 and .84, sd .01414
    assert texts(made, "fedavg")["IID"] == "83.0 ± 1.4 (n = 2 of 3) diverged (1 of 3)"
    assert texts(made, "fedprox")["IID"] == "82.0 ± 1.4 (n = 2 of 3)"
    assert texts(made, "local")["IID"] == "missing"
    assert texts(made, "local")["Balanced accuracy (mean)"] == "missing"
    assert bold(made, "IID") == []  # fedavg diverged, and fedprox has fewer seeds than fedbn


def test_all_diverged(cells, results_dir, fake):
    shutil.rmtree(results_dir / "runs/toy/iid/fedavg")
    for seed in range(3):
        fake.write_run(
            results_dir, fake.Cell("toy", "iid", "fedavg", seed), [0.3], status="diverged"
        )
    made = table(cells, results_dir)
    assert texts(made, "fedavg")["IID"] == "diverged (3 of 3)"
    assert texts(made, "fedavg")["Dirichlet α = 0.5"] == "72.0 ± 2.0"


def test_one_seed_has_no_spread(tmp_path, fake):
    cells = fake.grid(["toy"], ["iid"], ["fedavg"], [4])
    fake.write_run(tmp_path, cells[0], [0.5, 0.75])
    made = table(cells, tmp_path)
    assert texts(made, "fedavg")["IID"] == "75.0"
    notes = " ".join(made.notes)
    assert "Cells: from 1 seed. Bold" in notes
    assert "The references do the same work" not in notes  # there are none


def test_files_hold_the_numbers(cells, results_dir):
    aggregate(cells, results_dir)
    with (results_dir / "tables/comparison.csv").open(newline="") as file:
        rows = {row["arm"]: row for row in csv.DictReader(file)}
    assert float(rows["fedavg"]["iid:test_accuracy:mean"]) == pytest.approx(0.82)
    assert float(rows["fedavg"]["iid:test_accuracy:sd"]) == pytest.approx(0.02)
    assert rows["fedavg"]["iid:test_accuracy:n"] == rows["fedavg"]["iid:finished"] == "3"
    assert rows["fedbn"]["group"] == "personal"
    markdown = (results_dir / "tables/comparison.md").read_text()
    both = "| 83.0 ± 2.0 ≈ | 83.0 ± 2.0 ≈ | 63.0 ± 2.6 | 63.0 ± 2.6 | 2 |"
    assert f"| fedprox {both}" in markdown
    assert "| fedavg | 82.0 ± 2.0 ≈ | 82.0 ± 2.0 ≈ | 72.0 ± 2.0 | **72.0 ± 2.0** | 2 |" in markdown
    latex = (results_dir / "tables/comparison.tex").read_text()
    both = r"83.0 $\pm$ 2.0 $\approx$ & 83.0 $\pm$ 2.0 $\approx$"
    assert rf"fedprox & {both}" in latex
    assert r"\textbf{72.0 $\pm$ 2.0}" in latex
    assert r"\shortstack[r]{Dirichlet $\alpha$ = 0.5 \\ for everyone}" in latex
    parts = latex.count(r"\begin{table}")
    assert f"(1 of {parts})" in latex
    assert latex.count(r"\toprule") == latex.count(r"\bottomrule") == parts
    assert (results_dir / "tables/worst_client_accuracy.md").exists()
    assert not (results_dir / "tables/rounds_to_target.md").exists()  # no run has the number


def test_every_pair_and_the_places_are_written(cells, results_dir):
    aggregate(cells, results_dir)
    with (results_dir / "tables/paired.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 * 2 * 10, "two partitions, two questions, five arms"
    assert {row["holds_for"] for row in rows} == {"new patients, these training patients"}
    assert {(row["seeds"], row["test_patients"]) for row in rows} == {("3", "1000")}
    skewed = next(
        row
        for row in rows
        if (row["partition"], row["question"]) == ("dirichlet-0.5", "everyone")
        and {row["arm"], row["other"]} == {"fedavg", "fedprox"}
    )
    assert (skewed["arm"], skewed["other"], skewed["separated"]) == ("fedavg", "fedprox", "yes")
    assert float(skewed["difference"]) == pytest.approx(0.09)
    assert 0 < float(skewed["low"]) < 0.09 < float(skewed["high"]) < 0.18
    assert float(skewed["p"]) < float(skewed["p_holm"]) < 0.05
    assert skewed["practically_equal"] == "no"
    with (results_dir / "tables/ranking.csv").open(newline="") as file:
        places = {r["arm"]: r for r in csv.DictReader(file) if r["question"] == "everyone"}
    assert places["fedavg"]["toy / iid"] == "2"
    assert places["fedavg"]["mean place"] == "1.5"
    assert "centralized" not in places


def test_metrics_for_dvc(cells, results_dir):
    aggregate(cells, results_dir)
    entry = json.loads((results_dir / "metrics.json").read_text())["toy"]["iid"]["fedavg"]
    assert entry["accuracy"] == 0.82
    assert entry["accuracy_sd"] == 0.02
    assert entry["worst_client"] == 0.72
    assert entry["seeds"] == 3


def test_convergence_file_holds_means_over_seeds(cells, results_dir):
    aggregate(cells, results_dir)
    with (results_dir / "tables/convergence.csv").open(newline="") as file:
        rows = [
            row
            for row in csv.DictReader(file)
            if (row["partition"], row["arm"]) == ("dirichlet-0.5", "fedavg")
        ]
    assert [float(row["test_accuracy"]) for row in rows] == [0.3, 0.5, 0.72]
    assert rows[2]["test_primary_sd"] == "0.02"
    assert {row["primary"] for row in rows} == {"accuracy"}
    assert [row["test_primary"] for row in rows] == [row["test_accuracy"] for row in rows]
    assert float(rows[2]["bytes_total"]) == 4_000_000
    assert rows[2]["test_auc_macro"] == ""


def test_headline_says_what_was_best_and_how_sure(cells, results_dir):
    words = headline(aggregate(cells, results_dir), results_dir)
    assert (
        "toy, Dirichlet α = 0.5, for everyone: fedavg 72.0 ± 2.0 % "
        "(3 seeds, 95 % interval for new patients 66.3 to 77.7): better than every other arm on "
        "new patients, given these training patients (all pairs of arms, Holm, p < 0.05)."
    ) in words
    assert "mean over partitions, for everyone: fedavg 77.0 ± 1.7 %" in words
    assert "no claim, because partitions share their patients" in words
    assert "4 families of claims: every two arms" in words
    assert words.startswith("Best algorithm on test samples, by accuracy:")
    assert "with the training patients as they are" in words
    assert "toy, IID, own patients: fedbn † 85.0" in words
    assert "better than local by 24.0 points" in words
    assert "toy, IID, for everyone: fedprox 83.0 ± 2.0 %" in words
    assert "fedbn † 85.0 ± 0.0 %" in words
    assert str(results_dir / "tables" / "comparison.md") in words
    assert "report.html" not in words  # not made yet


def test_headline_does_not_crown_what_the_tests_cannot_separate(tmp_path, fake):
    cells = fake.grid(["toy"], ["iid"], ["a", "b", "c"], [0, 1, 2])
    # a - b = .02 -.01 .02: within the noise; a - c = .10 .09 .11: not
    final = {"a": (0.80, 0.82, 0.84), "b": (0.78, 0.83, 0.82), "c": (0.70, 0.73, 0.73)}
    for cell in cells:
        fake.write_run(tmp_path, cell, [0.3, final[cell.arm][cell.seed]], patients=1000)
    words = headline(aggregate(cells, tmp_path), tmp_path)
    assert "a 82.0 ± 2.0 %" in words
    assert "best mean; better than c, but not distinguishable from b on new patients." in words
    assert "better than every" not in words


def test_arms_with_the_same_mean_share_a_place(tmp_path, fake):
    cells = fake.grid(["toy"], ["iid"], ["a", "b", "c", "d"], [0])
    for cell, final in zip(cells, (0.7, 0.8, 0.7, 0.6), strict=True):
        fake.write_run(tmp_path, cell, [0.3, final])
    aggregate(cells, tmp_path)
    with (tmp_path / "tables/ranking.csv").open(newline="") as file:
        places = {row["arm"]: row["toy / iid"] for row in csv.DictReader(file)}
    assert places == {"b": "1", "a": "2", "c": "2", "d": "4"}


def test_headline_owns_up_to_few_seeds_and_missing_runs(cells, results_dir):
    shutil.rmtree(results_dir / "runs/toy/iid/local/seed0")
    two = [cell for cell in cells if cell.seed < 2]
    words = headline(aggregate(two, results_dir, partial=True), results_dir)
    assert "no claim, because 2 seeds cannot tell arms apart (5 arms need 3 seeds)" in words
    assert "4 families of claims, 0 of which can be tested" in words
    assert "better than" not in words
    assert "Of 20 runs, 1 run missing." in words


@pytest.mark.parametrize(
    ("word", "title"),
    [
        ("iid", "IID"),
        ("dirichlet-0.1", "Dirichlet α = 0.1"),
        ("pathological-2", "2 classes per client"),
        ("site", "Natural sites"),
        ("site-dirichlet-0.5", "Sites, Dirichlet α = 0.5"),
        ("something-else", "something-else"),
    ],
)
def test_partition_titles(word, title):
    assert partition_title(word) == title


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (0.01234, "0.0123"), (4, "4.00"), (56.78, "56.8"), (1234.5, "1234")],
)
def test_megabytes(value, text):
    assert format_megabytes(value) == text
