"""The accuracy of every client."""

from __future__ import annotations

import dataclasses
import json

import pytest
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.colors import to_hex

from medfl.report.figures import draw_figures
from medfl.report.grid_results import GridResults
from medfl.report.plots.base import Subject
from medfl.report.plots.clients import (
    DOT,
    LEAST,
    MOST,
    WORST,
    Clients,
    client_accuracies,
    draw_clients,
)
from medfl.results.runs import read_grid_runs


def colour(marks):
    faces = marks.get_facecolors()
    return to_hex(faces[0]).upper() if len(faces) else "none"


def marks_by_colour(panel):
    """Each kind of mark: there is one artist of a kind."""
    found = [marks for marks in panel.collections if isinstance(marks, PathCollection)]
    assert len({colour(marks) for marks in found}) == len(found)
    return {colour(marks): marks for marks in found}


def bars_by_colour(panel):
    """Colour → the two ends of each bar, (accuracy, level)."""
    found = [bars for bars in panel.collections if isinstance(bars, LineCollection)]
    return {to_hex(bars.get_colors()[0]).upper(): bars.get_segments() for bars in found}


def test_clients_panel_shows_each_client_and_marks_the_worst(cells, results_dir):
    results = GridResults(read_grid_runs(cells, results_dir))
    run = results.at("toy", "iid", "fedavg")[0]
    dots = client_accuracies(run)
    assert [dot.accuracy for dot in dots] == pytest.approx([0.70, 0.80, 0.85])
    assert {(dot.n_test, dot.decides) for dot in dots} == {(20, True)}
    figure = draw_clients(results, "toy", {"fedbn": "fedbn †"})
    panel = figure.axes[0]
    triangles = marks_by_colour(panel)[WORST].get_offsets()
    assert len(triangles) == 5 * 3  # arms × seeds
    assert len({level for _, level in triangles}) == 5 * 3, "each on a line of its own"
    first = bars_by_colour(panel)[WORST][0]  # centralized, seed 0
    assert first[:, 0] == pytest.approx([100 * (0.92 - 0.35), 100 * (0.92 + 0.05)])
    assert "fedbn †" in [label.get_text() for label in panel.get_yticklabels()]


def test_a_client_with_few_test_samples_is_hollow_and_not_in_the_mean(cells, results_dir):
    path = results_dir / "runs/toy/iid/fedavg/seed0/metrics.json"
    record = json.loads(path.read_text())
    record["clients"]["0"]["n_test"] = 3  # its accuracy is .70, the others' are .80 and .85
    record["fairness"] |= {"worst": 0.8, "worst_client": "1", "n": 2, "left_out": {"0": 3}}
    path.write_text(json.dumps(record))
    results = GridResults(read_grid_runs([c for c in cells if c.arm == "fedavg"][:1], results_dir))
    panel = draw_clients(results, "toy", {}).axes[0]
    marks = marks_by_colour(panel)
    drawn = {name: found.get_offsets()[:, 0].tolist() for name, found in marks.items()}
    assert drawn[WORST] == pytest.approx([80])
    assert drawn["none"] == pytest.approx([70])
    sizes = {name: found.get_sizes()[0] for name, found in marks.items()}
    assert sizes["none"] < sizes[WORST], "3 test samples beside 20"
    [mean] = bars_by_colour(panel)["#000000"]
    assert mean[:, 0] == pytest.approx([82.5, 82.5])
    assert "n_test = 3 to 20" in Clients().caption(Subject(results, "toy"))


def test_an_arm_whose_runs_know_no_clients_has_no_empty_line(cells, results_dir):
    for seed in range(3):
        for partition in ("iid", "dirichlet-0.5"):
            path = results_dir / f"runs/toy/{partition}/centralized/seed{seed}/metrics.json"
            path.write_text(json.dumps(json.loads(path.read_text()) | {"clients": {}}))
    results = GridResults(read_grid_runs(cells, results_dir))
    panel = draw_clients(results, "toy", {}).axes[0]
    names = [label.get_text() for label in panel.get_yticklabels()]
    assert names == ["local", "fedavg", "fedprox", "fedbn"]
    caption = Clients().caption(Subject(results, "toy"))
    assert caption.endswith("Not shown, as their runs know no clients: centralized.")


def test_marks_tell_large_test_sets_apart(cells, results_dir):
    path = results_dir / "runs/toy/iid/fedavg/seed0/metrics.json"
    record = json.loads(path.read_text())
    for client, size in (("0", 800), ("1", 400), ("2", 12)):
        record["clients"][client]["n_test"] = size
    path.write_text(json.dumps(record))
    results = GridResults(read_grid_runs([c for c in cells if c.arm == "fedavg"][:1], results_dir))
    panel = draw_clients(results, "toy", {}).axes[0]
    areas = {name: marks.get_sizes().tolist() for name, marks in marks_by_colour(panel).items()}
    assert areas[WORST] == [MOST]
    assert areas[DOT] == [MOST / 2, LEAST]


@pytest.mark.parametrize("partitions", [1, 2, 3])
def test_the_legend_is_not_cut_off(partitions, cells, results_dir):
    shown = [cell for cell in cells if cell.partition == "iid" or partitions > 1]
    if partitions == 3:  # one that has no finished run
        shown += [dataclasses.replace(cell, partition="site") for cell in shown[:1]]
    results = GridResults(read_grid_runs(shown, results_dir, partial=True))
    figure = draw_clients(results, "toy", {})
    figure.canvas.draw()
    legend = figure.legends[0].get_window_extent()
    assert legend.x0 >= 0
    assert legend.x1 <= figure.bbox.x1


def test_a_single_arm_has_room_for_its_words(tmp_path, fake, recwarn):
    """Matplotlib warns where the words around the panels leave no room for them."""
    cells = fake.grid(["toy"], ["iid"], ["fedavg"], [0])
    fake.write_run(tmp_path, cells[0], [0.3, 0.5])
    results = GridResults(read_grid_runs(cells, tmp_path))
    draw_figures(results, tmp_path / "figures", ["clients"])
    assert [str(one.message) for one in recwarn] == []
