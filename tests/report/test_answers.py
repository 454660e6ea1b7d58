"""The first screen: who is ahead in each partition, by both questions, and how sure that is."""

from __future__ import annotations

import html
import re
import shutil

import pytest

from medfl.cli import main
from medfl.report.answers import NO_CLAIM, NOT_TOLD, TOLD, answers
from medfl.report.grid_results import GridResults
from medfl.report.main_tables import cost_table
from medfl.report.steps import build_report, headline
from medfl.results.runs import read_grid_runs


def said(cells, folder, partial=False):
    return answers(GridResults(read_grid_runs(cells, folder, partial=partial)), "toy")


def put_local(fake, folder, partition, final):
    """Other runs of clients that train alone: their accuracy with seeds 0, 1 and 2."""
    for seed, accuracy in enumerate(final):
        shutil.rmtree(folder / f"runs/toy/{partition}/local/seed{seed}", ignore_errors=True)
        cell = fake.Cell("toy", partition, "local", seed)
        fake.write_run(folder, cell, [0.3, accuracy], evaluated="local", patients=1000)


def test_each_partition_has_an_answer_for_each_question_own_patients_first(cells, results_dir):
    found = said(cells, results_dir)
    assert [(one.partition, one.question, one.leaders, one.verdict) for one in found] == [
        ("IID", "own patients", "fedbn †", NOT_TOLD),
        ("IID", "for everyone", "fedprox", NOT_TOLD),
        ("Dirichlet α = 0.5", "own patients", "fedbn †", TOLD),
        ("Dirichlet α = 0.5", "for everyone", "fedavg", TOLD),
    ]
    assert found[0].ahead.startswith(" has the highest mean accuracy: 85.0 % (")
    assert found[0].sure == (
        "Better than local †, but not distinguishable from fedprox and fedavg on new patients."
    )
    sure = "Better than every other arm on new patients, given these training patients."
    assert found[2].sure == sure


def test_training_alone_that_beats_a_federation_is_named_first(cells, results_dir, fake):
    """local .88, .90, .92 beside fedbn .78, .80, .82: better by ten points, of 1,000 patients."""
    put_local(fake, results_dir, "dirichlet-0.5", (0.88, 0.90, 0.92))
    own = said(cells, results_dir)[2]
    assert own.leaders == "local †"
    assert own.ahead.startswith(", without any federation, has the highest mean accuracy: 90.0 %")
    assert "; fedbn †, the best federated arm, has 80.0 %" in own.ahead
    assert own.verdict == TOLD
    among = "; of the federated arms fedbn † is better than every other arm on new patients"
    assert among in own.sure
    build_report(cells, results_dir, figures=[])
    page = html.unescape((results_dir / "report.html").read_text("utf-8"))
    first = page[: page.index('<section id="data-1">')]
    assert "<strong>local †</strong>, without any federation, has the highest mean" in first


def test_a_lead_that_no_test_bears_out_is_none(cells, results_dir, fake):
    put_local(fake, results_dir, "iid", (0.86, 0.86, 0.86))
    own = said(cells, results_dir)[0]
    assert (own.leaders, own.verdict) == ("local †", NOT_TOLD)
    assert own.sure.startswith("Not distinguishable from fedbn †")


def planned(folder, capsys):
    """What `medfl plan` says of 5 points: (partition, question) → ``15 seeds``."""
    assert main(["plan", str(folder), "--differences", "5"]) == 0
    words = capsys.readouterr().out
    line = r"^toy, ([^,:]+)(?:, ([^:]+))?: accuracy.*\n  5 points: (\w+ \w+)"
    found = re.findall(line, words, re.MULTILINE)
    return {(partition, question): number for partition, question, number in found}


def test_where_arms_are_not_told_apart_it_says_how_many_seeds_would_do(cells, results_dir, capsys):
    by_plan = planned(results_dir, capsys)
    assert by_plan == {
        ("IID", "own patients"): "5 seeds",
        ("IID", "for everyone"): "10 seeds",
        ("Dirichlet α = 0.5", "own patients"): "10 seeds",
        ("Dirichlet α = 0.5", "for everyone"): "15 seeds",
    }
    for one in said(cells, results_dir):
        number = by_plan[one.partition, one.question]
        words = (
            f"{number} would find a difference of 5 points between two arms "
            "(80 % power, 1000 test patients)."
        )
        assert one.needed == ("" if one.verdict == TOLD else words)
    results = build_report(cells, results_dir, figures=[])
    page = html.unescape((results_dir / "report.html").read_text("utf-8"))
    first = page[: page.index('<section id="data-1">')]
    assert first.count("would find a difference of 5 points between two arms") == 2
    lines = headline(results, results_dir).splitlines()
    assert lines[1].endswith(
        ". 5 seeds would find a difference of 5 points between two arms "
        "(80 % power, 1000 test patients)."
    )


def test_how_many_seeds_is_said_where_there_are_too_few_for_a_test(tmp_path, fake, capsys):
    """Two seeds claim nothing, and are a pilot all the same; one seed knows no variance."""
    cells = fake.grid(["toy"], ["iid"], ["a", "b", "c"], [0, 1])
    for cell, final in zip(cells, (0.80, 0.86, 0.82, 0.80, 0.70, 0.79), strict=True):
        fake.write_run(tmp_path, cell, [0.3, final], patients=400)
    (one,) = said(cells, tmp_path)
    assert one.verdict == NO_CLAIM
    (number,) = planned(tmp_path, capsys).values()
    assert one.needed.startswith(f"{number} would find ")
    assert "400 test patients" in one.needed
    (alone,) = said(cells[::2], tmp_path)
    assert (alone.verdict, alone.needed) == (NO_CLAIM, "")


def test_arms_with_the_same_mean_are_ahead_together(tmp_path, fake):
    cells = fake.grid(["toy"], ["iid"], ["a", "b", "c"], [0])
    for cell, final in zip(cells, (0.8, 0.7, 0.8), strict=True):
        fake.write_run(tmp_path, cell, [0.3, final])
    (one,) = said(cells, tmp_path)
    assert (one.leaders, one.question, one.verdict) == ("a and c", "", NO_CLAIM)
    assert one.ahead == " have the highest mean accuracy: 80.0 %."
    assert one.sure == "1 seed cannot tell arms apart (3 arms need 3 seeds)."


def test_without_a_ranked_arm_the_page_says_so(tmp_path, fake):
    cells = fake.grid(["toy"], ["iid"], ["centralized"], [0])
    fake.write_run(tmp_path, cells[0], [0.3, 0.8])
    assert said(cells, tmp_path) == []
    build_report(cells, tmp_path, figures=[])
    page = (tmp_path / "report.html").read_text("utf-8")
    assert "Nothing can be ranked" in page


def test_worth_and_cost_stand_in_one_table(cells, results_dir, fake):
    results = GridResults(read_grid_runs(cells, results_dir))
    made = cost_table(results, "toy")
    assert made.header == ("Arm", "Own patients", "For everyone", "Worst client", "MB", "Seconds")
    rows = {row.label: [entry.text for entry in row.entries] for row in made.rows}
    # Means over both partitions, seed by seed: fedavg (.80+.70)/2, (.82+.74)/2, (.84+.72)/2.
    assert rows["fedavg"] == ["77.0 ± 1.7", "77.0 ± 1.7", "67.0 ± 1.7", "4.00", "12.5"]
    # fedbn (.85+.78)/2 … and .3 less for everyone, by the clients' models.
    assert rows["fedbn †"][:2] == ["82.5 ± 1.0", "52.5 ± 1.0 †"]


def test_the_budget_stands_beside_the_worth(tmp_path, fake):
    cells = fake.write_private(tmp_path)
    made = cost_table(GridResults(read_grid_runs(cells, tmp_path)), "toy")
    assert made.header == ("Arm", "Accuracy", "ε (of one)", "Worst client", "MB", "Seconds")
    rows = {row.label: [entry.text for entry in row.entries] for row in made.rows}
    assert rows["fedavg-dp-image-eps8"][:2] == ["68.0 ± 2.0", "8.00 (image)"]
    assert rows["fedavg-dp-image-eps8"][-1] == "11.0 ± 1.0"


@pytest.mark.parametrize("word", ["4 families of claims", "How to read this", "Own settings"])
def test_the_page_says_how_it_is_read(cells, results_dir, word):
    build_report(cells, results_dir, figures=[])
    assert word in (results_dir / "report.html").read_text("utf-8")


def test_where_nothing_is_claimed_the_page_has_no_words_of_a_claim(cells, results_dir):
    build_report([cell for cell in cells if cell.seed < 2], results_dir, figures=[])
    page = (results_dir / "report.html").read_text("utf-8")
    assert page.count('class="verdict no-claim"') == 4
    assert "etter than every other" not in page
