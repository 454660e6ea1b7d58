"""Arms that attackers met are never ranked beside arms that nobody attacks: values by hand."""

from __future__ import annotations

import csv
import html
import shutil

import pytest
import yaml
from crossed import CROSSED, SEEDS, crossed_results, write_crossed

from medfl.cli import main
from medfl.report.answers import NO_CLAIM, TOLD, answers, answers_attacked
from medfl.report.attacked import COST, PEACE, Attacked
from medfl.report.grid_results import GridResults
from medfl.report.main_tables import main_table
from medfl.report.plots.base import Subject
from medfl.report.plots.evidence import ArmsByEvidence
from medfl.report.questions import families_say
from medfl.report.steps import aggregate, build_report, headline
from medfl.results.columns import OWN
from medfl.results.runs import read_grid_runs

ALIE, BACKDOOR = Attacked("alie", 0.2), Attacked("backdoor", 3)


@pytest.fixture
def results(tmp_path, fake):
    return crossed_results(write_crossed(fake, tmp_path), tmp_path)


def rows_of(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_the_answer_is_of_arms_that_nobody_attacks(results):
    # The plain sum has the same mean under the backdoor: it does not share the first place.
    (one,) = answers(results, "toy")
    assert (one.leaders, one.verdict, one.attacked) == ("fedavg", TOLD, "")
    assert one.ahead.startswith(" has the highest mean accuracy: 82.0 %")
    assert one.sure.startswith("Better than every other arm")


def test_under_each_attack_the_arms_that_meet_it_compete(results):
    alie, backdoor = answers_attacked(results, "toy")
    assert (alie.attacked, alie.leaders, alie.verdict) == (
        "alie (20 %)",
        "fedavg+sum+alie-0.2",
        TOLD,
    )
    assert alie.ahead.startswith(" has the highest mean accuracy: 72.0 %")
    assert (backdoor.attacked, backdoor.leaders, backdoor.verdict) == (
        "backdoor (3 attackers)",
        "fedavg+sum+backdoor-3",
        NO_CLAIM,
    )
    assert backdoor.sure == "The only arm that is ranked."


def test_families_are_of_arms_attacked_alike_and_of_costs(results):
    assert [family.attacked for family in results.families] == [PEACE, ALIE, BACKDOOR, COST]
    said = families_say(results)
    assert said.startswith("4 families of claims, 3 of which can be tested: ")
    assert "one of every unattacked beside every attacked arm" in said
    alone = results.comparison("toy", "iid", OWN)
    assert [{pair.arm, pair.other} for pair in alone.pairs] == [{"fedavg", "fedavg+krum"}]
    assert alone.pairs[0].p_holm == alone.pairs[0].p
    cost = results.comparison("toy", "iid", OWN, COST)
    # Two unattacked arms beside three attacked ones: Holm multiplies the least of six p by 6.
    assert len(cost.pairs) == 6
    assert all(results.one_is_attacked(pair.arm, pair.other) for pair in cost.pairs)
    least = min(cost.pairs, key=lambda pair: pair.p)
    assert least.p_holm == pytest.approx(6 * least.p)


def test_the_files_name_the_family_of_each_claim_and_place(tmp_path, fake):
    aggregate(write_crossed(fake, tmp_path), tmp_path, crossed=CROSSED)
    paired = rows_of(tmp_path / "tables/paired.csv")
    count = {}
    for row in paired:
        count[row["attacked"]] = count.get(row["attacked"], 0) + 1
    assert count == {"nobody attacks": 1, "alie (20 %)": 1, "an unattacked and an attacked arm": 6}
    places = {
        (row["attacked"], row["arm"]): row["toy / iid"]
        for row in rows_of(tmp_path / "tables/ranking.csv")
    }
    assert places == {
        ("nobody attacks", "fedavg"): "1",
        ("nobody attacks", "fedavg+krum"): "2",
        ("alie (20 %)", "fedavg+sum+alie-0.2"): "1",
        ("alie (20 %)", "fedavg+krum+alie-0.2"): "2",
        ("backdoor (3 attackers)", "fedavg+sum+backdoor-3"): "1",
    }
    tex = (tmp_path / "tables/paired.tex").read_text(encoding="utf-8")
    assert "own patients, alie (20 \\%)" in tex


def test_tables_group_attacked_arms_and_mark_the_best_of_each_group(results):
    made = main_table(results, "toy")
    groups = {title: [row.label for row in rows] for title, rows in made.groups()}
    assert groups == {
        "One global model": ["fedavg", "fedavg+krum"],
        "Under alie (20 %)": ["fedavg+sum+alie-0.2", "fedavg+krum+alie-0.2"],
        "Under backdoor (3 attackers)": ["fedavg+sum+backdoor-3"],
        "Without images, not ranked": ["no image"],
    }
    best = [row.label for row in made.rows if row.entries[0].best]
    assert best == ["fedavg", "fedavg+sum+alie-0.2"]
    assert any("for each attack among the arms that meet it" in note for note in made.notes)


def test_the_figure_of_evidence_shows_unattacked_arms(results):
    figure = ArmsByEvidence()
    subject = Subject(results, "toy")
    (axis,) = figure.draw(subject).axes
    assert [text.get_text() for text in axis.get_yticklabels()] == ["fedavg", "fedavg+krum"]
    assert "Arms that are attacked are not shown." in figure.caption(subject)


def test_the_page_and_the_last_words_answer_apart(tmp_path, fake):
    cells = write_crossed(fake, tmp_path)
    results = crossed_results(cells, tmp_path)
    build_report(cells, tmp_path, crossed=CROSSED, figures=[])
    page = html.unescape((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert "what holds up best under which attack" in page
    assert "Under alie (20 %):</span> <strong>fedavg+sum+alie-0.2</strong>" in page
    assert "own patients, under alie (20 %)" in page
    words = headline(results, tmp_path)
    assert "toy, IID: fedavg 82.0 ± 0.8 %" in words
    assert "toy, IID, under alie (20 %): fedavg+sum+alie-0.2 72.0 ± 0.8 %" in words


def test_what_a_chain_says_counts_where_the_grid_crossed_nothing(tmp_path, fake):
    cells = write_crossed(fake, tmp_path)
    share = tmp_path / "runs/toy/iid/fedavg+sum+alie-0.2/seed0/config.yaml"
    share.write_text(yaml.safe_dump({"chain": {"attackers": 0.2}}), encoding="utf-8")
    results = GridResults(read_grid_runs(cells, tmp_path))
    # Without settings that can be read, the record's number stands for a share.
    assert results.attacked("fedavg+sum+alie-0.2") == Attacked("alie", 0.2)
    assert results.attacked("fedavg+krum+alie-0.2") == Attacked("alie", 1)
    assert results.under(PEACE) == ["fedavg", "fedavg+krum"]
    assert [one.leaders for one in answers(results, "toy")] == ["fedavg"]


def test_one_link_of_two_strengths_is_two_attacks(tmp_path, fake):
    """An arm that meets z = 0.5 and one that meets z = 3 are no rivals."""
    cells = write_crossed(fake, tmp_path)
    plain, krum = "fedavg+sum+alie-0.2", "fedavg+krum+alie-0.2"

    def settle(arm, **params):
        for seed in SEEDS:
            path = tmp_path / f"runs/toy/iid/{arm}/seed{seed}/config.yaml"
            chain = {"attackers": 0.2, "links": {"alie": params}}
            path.write_text(yaml.safe_dump({"chain": chain}), encoding="utf-8")

    settle(plain, z=0.5)
    settle(krum, z=3.0)
    results = GridResults(read_grid_runs(cells, tmp_path))
    assert results.attacked(plain) == Attacked("alie z 0.5", 0.2)
    assert results.attacked(krum) == Attacked("alie z 3.0", 0.2)
    assert [len(results.under(results.attacked(arm))) for arm in (plain, krum)] == [1, 1]
    settle(krum, z=0.5)
    results = GridResults(read_grid_runs(cells, tmp_path))
    assert results.under(ALIE) == [plain, krum], "alike, so its name needs no strength"
    # What is not written is the default.
    settle(plain)
    settle(krum, z=None)
    assert GridResults(read_grid_runs(cells, tmp_path)).under(ALIE) == [plain, krum]


def test_a_grid_whose_arms_are_all_attacked_says_so(tmp_path, fake):
    cells = [cell for cell in write_crossed(fake, tmp_path) if cell.arm.endswith("alie-0.2")]
    build_report(cells, tmp_path, crossed=CROSSED, figures=["evidence"])
    page = html.unescape((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert "Nothing can be ranked that nobody attacks" in page
    assert "Under alie (20 %):</span> <strong>fedavg+sum+alie-0.2</strong>" in page
    assert "not drawn, it needs finished runs that nobody attacks" in page
    results = crossed_results(cells, tmp_path)
    assert [family.attacked for family in results.families] == [ALIE]


def test_no_cost_is_claimed_where_one_side_has_no_result(tmp_path, fake):
    cells = write_crossed(fake, tmp_path)
    for arm in ("fedavg", "fedavg+krum"):
        shutil.rmtree(tmp_path / "runs/toy/iid" / arm)
    found = crossed_results(cells, tmp_path).comparison("toy", "iid", OWN, COST)
    assert (found.pairs, found.reason) == ((), "there are no two arms to compare")


def test_plan_speaks_of_each_family_alone(tmp_path, fake, capsys):
    write_crossed(fake, tmp_path)
    assert main(["plan", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert f"toy, IID, nobody attacks: accuracy, 2 arms; pilot: 2 arms, {len(SEEDS)} seeds" in said
    assert "toy, IID, alie (1 attacker): accuracy, 2 arms" in said
