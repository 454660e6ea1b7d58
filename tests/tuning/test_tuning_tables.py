"""The tables and the picture of a grid's searches."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from PIL import Image

from medfl.grid import Cell
from medfl.pages.figures import save
from medfl.report.plots.best_of_k import draw_best_of_k
from medfl.tuning.curves import COLUMNS, CURVE, write_searches


def search(*scores, chosen=1):
    points = [
        {"values": {"mu": number}, "status": "completed", "validation": score}
        for number, score in enumerate(scores)
    ]
    return {"chosen": chosen, "metric": "kappa", "points": points}


def test_the_tables_and_the_picture_of_a_grid(tmp_path):
    searches = {
        Cell("phantom", "iid", "a_$rm", 0): search(0.2, 0.4, chosen=2),
        Cell("phantom", "iid", "a_$rm", 1): search(0.5, 0.3),
        Cell("phantom", "iid", "b", 0): search(None, 0.1, chosen=2),
    }
    curves = write_searches(searches, tmp_path)
    # The means of (0.3, 0.4) and (0.4, 0.5).
    assert curves["phantom", "iid", "a_$rm"] == pytest.approx([0.35, 0.45])
    with open(tmp_path / "tuning/tuning.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["chosen"] for row in rows] == ["0", "1", "1", "0", "0", "1"]
    assert (rows[1]["point"], rows[1]["values"], rows[1]["validation"]) == ("2", "mu = 1", "0.4")
    lines = Path(tmp_path, "tuning/best-of-k.csv").read_text().splitlines()
    assert lines[1:3] == ["phantom,iid,a_$rm,1,0.35,2", "phantom,iid,a_$rm,2,0.45,2"]
    assert lines[3:] == ["phantom,iid,b,1,,1", "phantom,iid,b,2,0.1,1"]
    path = save(draw_best_of_k(curves, {"phantom": "kappa"}), tmp_path / "best-of-k")
    with Image.open(path) as picture:
        assert min(picture.size) > 100


def test_no_spreadsheet_takes_a_name_for_a_formula(tmp_path):
    write_searches({Cell("phantom", "iid", "=1+1", 0): search(0.2)}, tmp_path)
    assert "phantom,iid,'=1+1,0,1,1," in (tmp_path / "tuning/tuning.csv").read_text()
    assert "phantom,iid,'=1+1,1,0.2,1" in (tmp_path / "tuning/best-of-k.csv").read_text()


def test_the_page_names_every_column():
    page = (Path(__file__).parents[2] / "docs/tuning.md").read_text(encoding="utf-8")
    for name, columns in (("tuning.csv", COLUMNS), ("best-of-k.csv", CURVE)):
        row = next(line for line in page.splitlines() if line.startswith(f"| `{name}` |"))
        assert [f"`{column}`" in row for column in columns] == [True] * len(columns)
