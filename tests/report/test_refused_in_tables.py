"""Tables, summary and page say how many updates were not finite, so that no arm gains unseen."""

from __future__ import annotations

import csv
import re

from medfl.report.grid_results import GridResults
from medfl.report.main_tables import main_table
from medfl.report.steps import aggregate, build_report, headline
from medfl.results.runs import read_grid_runs


def written(fake, folder):
    """Two arms of two seeds; of fedavg client 1 was refused three times in seed 1."""
    cells = fake.grid(["toy"], ["iid"], ["fedavg", "fedprox"], [0, 1])
    for cell in cells:
        own = {"refused": {"1": [1, 2], "2": [2]}} if (cell.arm, cell.seed) == ("fedavg", 1) else {}
        fake.write_run(folder, cell, [0.3, 0.5, 0.8 + 0.02 * cell.seed], **own)
    return cells


def row_of(table, arm):
    return next(row for row in table.rows if row.label.startswith(arm))


def test_a_cell_counts_refused_updates_and_a_note_says_what_they_are(fake, tmp_path):
    cells = written(fake, tmp_path)
    table = main_table(GridResults(read_grid_runs(cells, tmp_path)), "toy")
    assert row_of(table, "fedavg").entries[0].text == "81.0 ± 1.4 (3 refused)"
    assert row_of(table, "fedprox").entries[0].text == "81.0 ± 1.4"
    assert len([note for note in table.notes if "NaN or infinite" in note]) == 1


def test_files_have_the_column_where_it_happened(fake, tmp_path):
    cells = written(fake, tmp_path)
    results = aggregate(cells, tmp_path)
    with (tmp_path / "summary.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0])[-1] == "refused"
    assert [row["refused"] for row in rows] == ["0", "3", "0", "0"]
    with (tmp_path / "tables/comparison.csv").open(newline="") as file:
        found = {row["arm"]: row["iid:refused"] for row in csv.DictReader(file)}
    assert found == {"fedavg": "3", "fedprox": "0"}
    assert "Not finite and left out: 3 updates of clients, in 1 run" in headline(results, tmp_path)
    build_report(cells, tmp_path, figures=[])
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert re.search(r'<td data-value="0\.81\d*" class="bad">81\.0\s±\s1\.4 \(3 refused\)', page)


def test_elsewhere_nothing_is_said_of_it(fake, tmp_path):
    cells = fake.write_results(tmp_path)
    results = aggregate(cells, tmp_path)
    for path in tmp_path.rglob("*.csv"):
        assert "refused" not in path.read_text(encoding="utf-8"), path
    assert "left out" not in headline(results, tmp_path)
