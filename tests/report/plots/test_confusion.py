"""Confusion matrices of arms."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text

from medfl.report.figures import draw_figures
from medfl.report.grid_results import GridResults
from medfl.report.plots.base import Subject
from medfl.report.plots.confusion import Confusion, draw_confusions, mean_confusion
from medfl.report.plots.held_back import class_aucs
from medfl.results.columns import EVERYONE
from medfl.results.runs import read_grid_runs


def test_confusion_rows_are_normalised_then_averaged(cells, results_dir):
    results = GridResults(read_grid_runs(cells, results_dir))
    matrix = mean_confusion(results, "toy", "iid", "fedavg")
    # every seed has rows 8 1 1 / 2 16 2 / 0 0 0
    np.testing.assert_allclose(matrix[:2], [[0.8, 0.1, 0.1], [0.1, 0.8, 0.1]])
    assert np.isnan(matrix[2]).all()


def test_no_confusion_matrix_no_picture(tmp_path, fake):
    cells = fake.grid(["toy"], ["iid"], ["fedavg"], [0])
    fake.write_run(tmp_path, cells[0], [0.5, 0.6], last={"round": 1, "test": {"accuracy": 0.6}})
    results = GridResults(read_grid_runs(cells, tmp_path))
    assert draw_confusions(results, "toy", "iid", [], {}) is None


def test_an_arm_with_two_answers_has_two_matrices(tmp_path, fake):
    own, everyone = (fake.medical(0.6, counts) for counts in ([[9, 1], [5, 5]], [[2, 8], [0, 10]]))
    cells = fake.grid(["toy"], ["iid"], ["fedavg", "fedbn"], [0])
    for cell in cells:
        kind = {"fedbn": "personal"}.get(cell.arm, "global")
        last = {"round": 1, "test": own, "everyone": everyone}
        fake.write_run(tmp_path, cell, [0.4, 0.6], evaluated=kind, last=last)
    results = GridResults(read_grid_runs(cells, tmp_path))
    np.testing.assert_allclose(
        mean_confusion(results, "toy", "iid", "fedbn", EVERYONE), [[0.2, 0.8], [0, 1]]
    )
    figure = draw_confusions(results, "toy", "iid", [], {"fedbn": "fedbn †"})
    titles = [text.get_text().replace("\n", " ") for text in figure.axes[0].texts]
    assert titles == ["fedavg", "fedbn †, own patients", "fedbn †, for everyone"]


def test_held_back_matrices_leave_the_auc_of_large_classes_and_say_why(tmp_path, fake):
    """AUC of the mass .80 and .90 with two seeds; the tiny class is published nowhere."""
    cells = fake.grid(["toy"], ["iid"], ["fedavg", "fedprox"], [0, 1])
    for cell in cells:
        test = fake.medical(0.8)
        test["confusion"] = None
        mass = {"n": 40, "auc": 0.8 + 0.1 * cell.seed}
        test["per_class"] = {"mass": mass, "tiny": {"n": None, "auc": None}}
        last = {"round": 1, "test": test}
        fake.write_run(tmp_path, cell, [0.4, 0.8], minimum_cell=10, last=last)
    results = GridResults(read_grid_runs(cells, tmp_path))
    found = class_aucs(results, "toy", "iid", ["mass", "tiny"])
    np.testing.assert_allclose(found, [[0.85, np.nan], [0.85, np.nan]])
    [picture] = draw_figures(results, tmp_path / "figures", ["confusion"])
    assert picture.path.exists()
    assert "counts of fewer than 10 samples" in picture.caption
    figure = picture.figure.draw(picture.subject)
    assert [text.get_text() for text in figure.axes[0].texts] == ["0.85", "0.85"]
    assert "fewer than 10 test samples" in figure.axes[0].get_xlabel().replace("\n", " ")
    assert [one.get_text() for one in figure.axes[0].get_xticklabels()] == ["mass", "tiny"]


def test_images_with_several_labels_have_no_confusion_to_hold_back(tmp_path, fake):
    cells = fake.grid(["toy"], ["iid"], ["fedavg"], [0])
    test = fake.medical(0.8) | {"confusion": None, "subset_accuracy": 0.5}
    last = {"round": 1, "test": test}
    fake.write_run(tmp_path, cells[0], [0.4, 0.8], minimum_cell=10, last=last)
    results = GridResults(read_grid_runs(cells, tmp_path))
    assert Confusion().draw(Subject(results, "toy", "iid")) is None


SKIN = ("Squamous cell carcinoma", "Pigmented benign keratosis", "Pigmented benign naevus")
MANY = tuple(f"class number {number:02d} of the set" for number in range(23))
ARMS = ("fedavg", "fedavg-dp-image-eps8-and-secure-aggregation-of-eleven-hospitals", "fedbn")


@pytest.mark.parametrize("classes", [SKIN, MANY])
@pytest.mark.parametrize("count", [2, 3])
def test_long_names_neither_meet_nor_leave_the_picture_nor_become_one(
    classes, count, tmp_path, fake
):
    arms = [f"{number}-{ARMS[number % 3]}" for number in range(count * 2 + 1)]
    cells = fake.grid(["toy"], ["iid"], arms, [0])
    counts = (np.eye(len(classes), dtype=int) * 12 + 3).tolist()
    per_class = {name: {"n": 15} for name in classes}
    test = {"n": 100, "accuracy": 0.5, "confusion": counts, "per_class": per_class}
    for cell in cells:
        fake.write_run(tmp_path, cell, [0.4, 0.5], last={"round": 1, "test": test})
    results = GridResults(read_grid_runs(cells, tmp_path))
    figure = draw_confusions(results, "toy", "iid", classes, {})
    figure.suptitle("Confusion matrices: toy, IID (own patients)\nshare of each true class")
    figure.draw_without_rendering()
    texts = [one for one in figure.findobj(Text) if one.get_text() and one.get_visible()]
    renderer = FigureCanvasAgg(figure).get_renderer()
    boxes = [one.get_window_extent(renderer) for one in texts]
    page = figure.bbox.padded(1)
    outside = [
        (one.get_text(), box.extents.round().tolist())
        for one, box in zip(texts, boxes, strict=True)
        if not (page.contains(box.x0, box.y0) and page.contains(box.x1, box.y1))
    ]
    assert outside == []
    for (one, a), (other, b) in combinations(zip(texts, boxes, strict=True), 2):
        across, down = min(a.x1, b.x1) - max(a.x0, b.x0), min(a.y1, b.y1) - max(a.y0, b.y0)
        assert min(across, down) <= 2, (one.get_text(), other.get_text())
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert len(set(labels)) == len(classes)
