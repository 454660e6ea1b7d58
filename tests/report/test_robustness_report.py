"""What attacks cost and rules save: tables, sentences, pictures and files, by hand."""

from __future__ import annotations

import csv
import html
import math
import shutil

import pytest
from crossed import CROSSED, WHY, crossed_results, write_crossed

from medfl.report.grid_results import GridResults
from medfl.report.plots.attacked import BackdoorSuccess, UnderAttack, WorstUnderAttack
from medfl.report.plots.base import Subject
from medfl.report.published import publish
from medfl.report.robustness_tables import robustness_tables
from medfl.report.robustness_words import robustness_words
from medfl.report.steps import aggregate, build_report

NOT_DEFINED = "not defined here"
FIGURES_OF_ATTACKS = {
    "attacked": UnderAttack,
    "attacked_worst": WorstUnderAttack,
    "backdoor": BackdoorSuccess,
}


@pytest.fixture
def attacked(tmp_path, fake):
    folder = tmp_path / "attacked"
    return crossed_results(write_crossed(fake, folder), folder), folder


def cells_of(table):
    return {row.label: [entry.text for entry in row.entries] for row in table.rows}


def test_the_cost_of_a_defence_stands_beside_what_it_saves(attacked):
    results, _ = attacked
    accuracy, worst, backdoor = robustness_tables(results, "toy")
    assert accuracy.title == "Test accuracy (%), IID"
    assert accuracy.header == ("", "sum (no defence)", "The attack costs", "krum")
    assert cells_of(accuracy) == {
        "nobody attacks": ["82.0 ± 0.8", "–", "62.0 ± 0.8 (−20.0*)"],
        "alie (20 %)": ["72.0 ± 0.8", "−10.0*", "57.0 ± 0.8 (−15.0*)"],
        "backdoor (3 attackers)": ["82.0 ± 0.8", "±0.0", NOT_DEFINED],
    }
    # The client that is worst of all, with 30 %, attacks in some arm, so it counts in none.
    assert cells_of(worst)["nobody attacks"] == ["50.0", "50.0"]
    assert cells_of(worst)["backdoor (3 attackers)"] == ["50.0", NOT_DEFINED]
    assert worst.title == "Worst honest client's accuracy (%), IID"
    assert cells_of(backdoor) == {"backdoor (3 attackers)": ["93.0 ± 2.6", NOT_DEFINED]}
    assert not any(entry.best for row in accuracy.rows for entry in row.entries)


def test_a_defence_that_is_told_better_is_bold(tmp_path, fake):
    cells = write_crossed(fake, tmp_path)
    for seed, final in enumerate((0.90, 0.91, 0.92, 0.91)):
        cell = fake.Cell("toy", "iid", "fedavg+krum+alie-0.2", seed)
        shutil.rmtree(tmp_path / f"runs/toy/iid/{cell.arm}/seed{seed}")
        record = {"attackers": 1, "share": 0.2, "clients": [0], "attack": "alie", "rule": "krum"}
        fake.write_run(tmp_path, cell, [0.3, final], patients=1000, robustness=record)
    accuracy = robustness_tables(crossed_results(cells, tmp_path), "toy")[0]
    assert cells_of(accuracy)["alie (20 %)"][2] == "91.0 ± 0.8 (+19.0*)"
    assert [entry.best for entry in accuracy.rows[1].entries] == [False, False, True]


def test_the_sentences_say_that_a_defence_costs_more_than_the_attack(attacked):
    results, _ = attacked
    said = {
        one.about: (one.words, one.verdict) for _, one in robustness_words(results, "toy", "iid")
    }
    assert said == {
        "A defence costs,": (
            "where nobody attacks, beside the plain sum: krum −20.0*.",
            "told apart",
        ),
        "An attack costs": (
            "the plain sum: alie (20 %) −10.0*, backdoor (3 attackers) ±0.0.",
            "told apart",
        ),
        "A defence costs more than the attack": (
            "(unattacked, it is below the plain sum under attack): "
            "krum beside backdoor (3 attackers) −20.0*, krum beside alie (20 %) −10.0*.",
            "told apart",
        ),
        "Under attack a defence": ("does harm: krum under alie (20 %) −15.0*.", "told apart"),
    }


def test_one_seed_makes_no_claim_and_divergence_is_named(tmp_path, fake):
    cells = [cell for cell in write_crossed(fake, tmp_path) if cell.seed == 0]
    shutil.rmtree(tmp_path / "runs/toy/iid/fedavg+sum+alie-0.2/seed0")
    record = {"attackers": 1, "share": 0.2, "clients": [0], "attack": "alie", "rule": "sum"}
    fake.write_run(tmp_path, cells[1], [0.3, 0.2], status="diverged", robustness=record)
    results = crossed_results(cells, tmp_path)
    said = {one.about: one for _, one in robustness_words(results, "toy", "iid")}
    assert said["A defence costs,"].words.endswith("krum −19.0.")
    assert {one.verdict for one in said.values()} == {"no claim"}
    assert said["An attack costs"].words == (
        "the plain sum: backdoor (3 attackers) +1.0; diverged in some seed under alie (20 %)."
    )
    assert "By the means alone a defence costs more than the attack" in said
    accuracy = cells_of(robustness_tables(results, "toy")[0])
    assert accuracy["alie (20 %)"][:2] == ["diverged (1 of 1)", "–"]


def test_what_only_helps_is_not_said_to_cost(tmp_path, fake):
    cells = [cell for cell in write_crossed(fake, tmp_path) if "alie" not in cell.arm]
    for seed, final in enumerate((0.90, 0.91, 0.92, 0.91)):
        shutil.rmtree(tmp_path / f"runs/toy/iid/fedavg+krum/seed{seed}")
        record = {"attackers": 0, "share": 0.0, "clients": [], "rule": "krum"}
        cell = fake.Cell("toy", "iid", "fedavg+krum", seed)
        fake.write_run(tmp_path, cell, [0.3, final], patients=1000, robustness=record)
    said = {
        one.about: one.words
        for _, one in robustness_words(crossed_results(cells, tmp_path), "toy", "iid")
    }
    assert said == {
        "By the means no defence costs anything": (
            "where nobody attacks, beside the plain sum: krum +9.0*."
        ),
        "By the means no attack costs": "the plain sum: backdoor (3 attackers) ±0.0.",
    }


def test_pictures_hold_means_bands_and_what_is_not_defined(attacked):
    results, _ = attacked
    subject = Subject(results, "toy", "iid")
    alie, backdoor = UnderAttack().draw(subject).axes
    assert [alie.get_title(), backdoor.get_title()] == ["alie", "backdoor"]
    plain, krum = alie.lines[:2]
    assert list(plain.get_xdata()) == pytest.approx([0, 20])
    assert list(plain.get_ydata()) == pytest.approx([82, 72])
    assert list(krum.get_ydata()) == pytest.approx([62, 57])
    band = alie.collections[0].get_paths()[0].vertices
    sd = math.sqrt(2 / 3)  # of -1, 0, 1 and 0 points
    assert sorted(set(band[:, 1].round(6))) == pytest.approx([72 - sd, 72 + sd, 82 - sd, 82 + sd])
    assert list(backdoor.lines[0].get_xdata()) == pytest.approx([0, 30])
    assert list(backdoor.lines[1].get_xdata()) == pytest.approx([0])
    assert [text.get_text() for text in backdoor.texts] == [f"{NOT_DEFINED}:\n3 attackers: krum"]
    assert [text.get_text() for text in alie.texts] == []
    worst = WorstUnderAttack().draw(subject).axes
    assert list(worst[0].lines[0].get_ydata()) == pytest.approx([50, 50])
    (success,) = BackdoorSuccess().draw(subject).axes
    assert list(success.lines[0].get_xdata()) == pytest.approx([30])
    assert list(success.lines[0].get_ydata()) == pytest.approx([93])


def test_the_files_hold_the_numbers(tmp_path, fake):
    cells = write_crossed(fake, tmp_path)
    aggregate(cells, tmp_path, crossed=CROSSED)
    with (tmp_path / "tables/robustness.csv").open(newline="", encoding="utf-8") as file:
        rows = {(row["rule"], row["attack"]): row for row in csv.DictReader(file)}
    assert len(rows) == 6
    row = rows["krum", "alie"]
    assert (row["base"], row["attackers"], row["arm"]) == ("fedavg", "0.2", "fedavg+krum+alie-0.2")
    assert float(row["primary:mean"]) == pytest.approx(0.57)
    assert float(row["above_sum"]) == pytest.approx(-0.15)
    assert float(row["above_peace"]) == pytest.approx(-0.05)
    assert row["above_sum_told_apart"] == "yes"
    assert float(rows["sum", "backdoor"]["backdoor_success:mean"]) == pytest.approx(0.93)
    lost = rows["krum", "backdoor"]
    assert (lost["not_defined"], lost["arm"], lost["primary:mean"]) == (WHY, "", "")
    tex = (tmp_path / "tables/robustness.tex").read_text(encoding="utf-8")
    assert r"62.0 $\pm$ 0.8 ($-$20.0*)" in tex
    assert NOT_DEFINED in tex


def test_the_page_shows_it_and_another_grid_has_none_of_it(tmp_path, fake):
    cells = write_crossed(fake, tmp_path)
    for crossed in (CROSSED, None):
        build_report(cells, tmp_path, crossed=crossed, figures=list(FIGURES_OF_ATTACKS))
        page = html.unescape((tmp_path / "report.html").read_text(encoding="utf-8"))
        for figure in FIGURES_OF_ATTACKS.values():
            caption = figure().caption(Subject(crossed_results(cells, tmp_path), "toy", "iid"))
            assert (f"<figcaption>{caption}" in page) is bool(crossed)
        assert ("IID: attacks and defences" in page) is bool(crossed)
        assert ("<h3>Attacks and defences</h3>" in page) is bool(crossed)
        assert ("A defence costs more than the attack" in page) is bool(crossed)
        assert (NOT_DEFINED in page) is bool(crossed)
    plain = GridResults(crossed_results(cells, tmp_path).runs)
    for figure in FIGURES_OF_ATTACKS.values():
        assert figure().subjects(plain, "toy") == []
    aggregate(cells, tmp_path)
    assert not (tmp_path / "tables/robustness.csv").exists()


def test_a_published_folder_has_it(tmp_path, fake):
    cells = write_crossed(fake, tmp_path / "results")
    results = aggregate(cells, tmp_path / "results", crossed=CROSSED)
    words = {"title": "Toys", "grid_file": "toy.yaml", "configuration": {}}
    page = publish(results, tmp_path / "results", tmp_path / "to", **words, prepared_dir=tmp_path)
    text = page.read_text(encoding="utf-8")
    assert (
        r"  - *fedavg:* **A defence costs,** where nobody attacks, beside the plain sum: " in text
    )
    assert r"| nobody attacks | 82.0 ± 0.8 | – | 62.0 ± 0.8 (−20.0\*) |" in text
    assert (page.parent / "robustness.csv").exists()


def test_missing_runs_are_missing_and_not_undefined(tmp_path, fake):
    cells, folder = write_crossed(fake, tmp_path), tmp_path
    shutil.rmtree(folder / "runs/toy/iid/fedavg+krum")
    again = crossed_results(cells, folder)
    accuracy = cells_of(robustness_tables(again, "toy")[0])
    assert accuracy["nobody attacks"][2] == "missing"


def test_a_panel_without_a_finished_run_is_not_called_undefined(tmp_path, fake):
    cells = write_crossed(fake, tmp_path)
    for arm in ("fedavg", "fedavg+krum", "fedavg+sum+alie-0.2", "fedavg+krum+alie-0.2"):
        shutil.rmtree(tmp_path / "runs/toy/iid" / arm)
    subject = Subject(crossed_results(cells, tmp_path), "toy", "iid")
    alie, backdoor = UnderAttack().draw(subject).axes
    assert [text.get_text() for text in alie.texts] == ["no finished run"]
    assert len(backdoor.texts) == 1
