"""ε with its unit in every table, and what each protection costs; numbers worked out by hand."""

from __future__ import annotations

import csv
import html
import math

import pytest

from medfl.report.grid_results import GridResults
from medfl.report.main_tables import main_table, metric_table
from medfl.report.privacy import Protection, epsilon_words, protection
from medfl.report.privacy_tables import privacy_table, privacy_tables
from medfl.report.steps import aggregate, build_report
from medfl.results.columns import AUC, OWN
from medfl.results.frames import Frames
from medfl.results.runs import read_grid_runs


@pytest.fixture
def private(tmp_path, fake):
    """The results of the private grid, and its folder."""
    folder = tmp_path / "private"
    return GridResults(read_grid_runs(fake.write_private(folder), folder)), folder


def rows_of(table):
    return {row.label: [entry.text for entry in row.entries] for row in table.rows}


def test_an_epsilon_is_shown_with_its_unit_and_is_never_rounded_down(private):
    results, _ = private
    found = {arm: protection(results, "toy", arm).budget for arm in results.arms}
    assert found == {
        "fedavg": "–",
        "fedavg-dp-image-inf": "∞ (image)",
        "fedavg-dp-image-eps8": "8.00 (image)",  # 7.991: 7.99 would promise too much
        "fedavg-dp-image-eps1": "1.00 (image)",
        "scaffold-dp": "7.50 (lesion)",
        "fedavg-secagg": "–",
    }
    assert [epsilon_words(e) for e in (8.0, 0.3, 8.0000001)] == ["8.00", "0.30", "8.01"]


def test_the_largest_epsilon_of_the_runs_counts_and_one_without_noise_is_infinite(tmp_path, fake):
    cells = fake.grid(["toy"], ["iid"], ["dp"], [0, 1])
    for cell, epsilon in zip(cells, (2.0, 3.0), strict=True):
        privacy = {"mechanism": "dp_image", "unit": "image", "epsilon": epsilon, "delta": 1e-5}
        fake.write_run(tmp_path, cell, [0.3, 0.5], privacy=privacy)
    results = GridResults(read_grid_runs(cells, tmp_path))
    assert protection(results, "toy", "dp") == Protection("image", 3.0, 1e-5)
    other = fake.Cell("toy", "iid", "dp", 2)
    privacy = {"mechanism": "dp_image", "unit": "image", "epsilon": None, "delta": 1e-5}
    fake.write_run(tmp_path, other, [0.3, 0.5], privacy=privacy)
    results = GridResults(read_grid_runs([*cells, other], tmp_path))
    assert protection(results, "toy", "dp").epsilon == math.inf


def test_the_table_goes_by_unit_and_from_the_least_epsilon(private):
    results, _ = private
    table = privacy_table(results, "toy", "iid")
    assert table.header == (
        *("Arm", "ε (of one)", "The server sees", "Accuracy (%)", "Balanced accuracy (%)"),
        *("Worst client (%)", "Seconds", "MB"),
    )
    assert [(title, [row.label for row in rows]) for title, rows in table.groups()] == [
        (
            "ε of one image",
            ["fedavg-dp-image-eps1", "fedavg-dp-image-eps8", "fedavg-dp-image-inf"],
        ),
        ("ε of one lesion", ["scaffold-dp"]),
        ("No ε", ["fedavg", "fedavg-secagg"]),
    ]
    # .66, .70, .68: mean .68, sd .02; balanced .1 less, and so is the worst client. 10, 11, 12 s.
    assert rows_of(table)["fedavg-dp-image-eps8"] == [
        *("8.00 (image)", "each update", "68.0 ± 2.0", "58.0 ± 2.0"),
        *("58.0 ± 2.0 (n_test = 20; interval of the lowest 31.0 to 71.0)", "11.0 ± 1.0", "2.00"),
    ]
    assert rows_of(table)["fedavg-secagg"][:2] == ["–", "the sum alone (masks)"]
    assert rows_of(table)["fedavg-secagg"][-1] == "5.00"
    assert "δ = 1e-05." in table.notes
    assert any("cannot be compared" in note for note in table.notes)


def test_every_table_has_the_epsilon_and_a_grid_without_one_has_none(private):
    results, _ = private
    for table in (main_table(results, "toy"), metric_table(results, "toy", AUC)):
        assert table.header[:2] == ("Arm", "ε (of one)")
        assert rows_of(table)["scaffold-dp"][0] == "7.50 (lesion)"
        assert rows_of(table)["no image"][0] == "–"
        assert sum("cannot be compared" in note for note in table.notes) == 1
    plain = GridResults([run for run in results.runs if run.arm == "fedavg"])
    assert privacy_tables(plain, "toy") == []
    for table in (main_table(plain, "toy"), metric_table(plain, "toy", AUC)):
        assert "ε (of one)" not in table.header
        assert not any("ε" in note for note in table.notes)


def test_the_server_sees_no_sum_under_encryption():
    assert Protection(hidden=("masks",)).seen == "the sum alone (masks)"
    seen = "ciphertexts, and what is not encrypted (encryption)"
    assert Protection(hidden=("encryption",)).seen == seen
    assert Protection().words == "no ε; the server sees each update"


def test_masks_alone_have_a_table_of_their_cost_and_no_column_of_epsilon(private):
    results, _ = private
    masked = GridResults([run for run in results.runs if run.arm in ("fedavg", "fedavg-secagg")])
    assert [table.title for table in privacy_tables(masked, "toy")] == ["Privacy, IID"]
    assert "ε (of one)" not in main_table(masked, "toy").header


def test_the_files_hold_the_numbers(tmp_path, fake):
    cells = fake.write_private(tmp_path, ("iid", "dirichlet-0.5"))
    aggregate(cells, tmp_path)
    with (tmp_path / "tables/privacy.csv").open(newline="", encoding="utf-8") as file:
        rows = {(row["partition"], row["arm"]): row for row in csv.DictReader(file)}
    assert len(rows) == 12
    row = rows["dirichlet-0.5", "fedavg-dp-image-eps8"]
    assert (row["privacy_unit"], row["epsilon"], row["delta"]) == ("image", "7.991", "1e-05")
    assert float(row["test_accuracy:mean"]) == pytest.approx(0.68)
    assert float(row["test_accuracy:sd"]) == pytest.approx(0.02)
    assert (row["megabytes:mean"], row["seconds:mean"], row["seconds:n"]) == ("2.0", "11.0", "3")
    assert rows["iid", "fedavg-dp-image-inf"]["epsilon"] == "inf"
    assert rows["iid", "fedavg-secagg"]["hidden_by"] == "masks"
    assert rows["iid", "fedavg"]["epsilon"] == rows["iid", "fedavg"]["privacy_unit"] == ""
    with (tmp_path / "tables/comparison.csv").open(newline="", encoding="utf-8") as file:
        arms = {row["arm"]: row for row in csv.DictReader(file)}
    assert (arms["scaffold-dp"]["epsilon"], arms["scaffold-dp"]["privacy_unit"]) == (
        "7.5",
        "lesion",
    )
    tex = (tmp_path / "tables/privacy.tex").read_text(encoding="utf-8")
    labels = [line.strip() for line in tex.splitlines() if "label" in line]
    assert labels == [r"\label{tab:privacy-0-toy}", r"\label{tab:privacy-1-toy}"]
    assert r"8.00 (image)" in tex
    assert r"$\infty$ (image)" in tex
    assert "ε" not in tex
    summary = (tmp_path / "summary.csv").read_text(encoding="utf-8").splitlines()
    head = summary[0].split(",")
    place = head.index("epsilon")
    assert head[place : place + 3] == ["epsilon", "delta", "privacy_unit"]
    lines = {tuple(line.split(",")[1:3]): line.split(",") for line in summary[1:]}
    assert lines["iid", "scaffold-dp"][place : place + 3] == ["7.5", "1e-05", "lesion"]
    assert lines["iid", "fedavg"][place : place + 3] == ["", "", ""]


def test_the_page_says_how_each_arm_is_protected(private, fake):
    _, folder = private
    cells = fake.grid(["toy"], ["iid"], ["fedavg", "scaffold-dp", "fedavg-secagg"], [0, 1, 2])
    build_report(cells, folder)
    page = html.unescape((folder / "report.html").read_text(encoding="utf-8"))
    assert "<h3>Privacy</h3>" in page
    assert "ε = 7.50 of one lesion at δ = 1e-05; the server sees each update" in page
    assert "no ε; the server sees the sum alone (masks)" in page
    build_report(cells[:3], folder)
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "<h3>Privacy</h3>" not in page
    assert ">Protection<" not in page


def test_an_arm_that_failed_everywhere_is_left_out(tmp_path, fake):
    cells = fake.write_private(tmp_path)
    gone = fake.grid(["toy"], ["iid"], ["late-dp"], [0])
    results = GridResults(read_grid_runs([*cells, *gone], tmp_path, partial=True))
    assert "late-dp" not in rows_of(privacy_table(results, "toy", "iid"))
    assert rows_of(main_table(results, "toy"))["late-dp"][:2] == ["–", "missing"]
    assert main_table(results, "toy").question == OWN


def test_tables_of_rounds_have_the_unit_beside_the_epsilon(private):
    results, folder = private
    for arm in ("fedavg", "scaffold-dp"):
        path = folder / "runs/toy/iid" / arm / "seed0/rounds.csv"
        if arm == "scaffold-dp":  # as a link adds it: a number in each round
            head, *lines = path.read_text().splitlines()
            spent = [f"{line},{number * 3.5},lesion" for number, line in enumerate(lines)]
            path.write_text("\n".join([f"{head},epsilon,privacy_unit", *spent]) + "\n")
    some = [run for run in results.runs if run.seed == 0 and run.arm in ("fedavg", "scaffold-dp")]
    rounds = Frames(some).rounds.set_index(["arm", "round"])
    assert rounds.loc[("scaffold-dp", 1), ["epsilon", "privacy_unit"]].tolist() == [3.5, "lesion"]
    assert rounds.loc[("fedavg", 1), ["epsilon", "privacy_unit"]].isna().all()
