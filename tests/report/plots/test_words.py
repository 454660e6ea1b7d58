"""What stands in the pictures: words that nothing covers, also where there is nothing to draw."""

from __future__ import annotations

import math
import shutil
from itertools import pairwise

import pandas as pd
import pytest
from crossed import ATTACKED, crossed_results, write_crossed
from matplotlib.backend_bases import FigureCanvasBase
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import findfont
from matplotlib.text import Text

from medfl.pages import fonts
from medfl.pages.figures import save, styled
from medfl.report.curves import as_history
from medfl.report.figures import draw_figures
from medfl.report.grid_results import GridResults
from medfl.report.plots.clients import draw_clients
from medfl.report.plots.confusion import draw_confusions
from medfl.report.plots.convergence import Curve, draw
from medfl.report.plots.notebook import plot_convergence
from medfl.report.plots.registry import FIGURES
from medfl.report.plots.style import arm_styles, spread
from medfl.report.plots.tradeoff import draw_heterogeneity, draw_traffic
from medfl.report.statistics import summarise
from medfl.results.columns import judged
from medfl.results.runs import read_grid_runs


def overlapping_texts(figure):
    """Pairs of words that lie on top of one another once the figure is laid out."""
    figure.draw_without_rendering()
    renderer = FigureCanvasAgg(figure).get_renderer()
    boxes = []
    for axis in figure.axes:
        if axis.get_visible():
            level = [text for text in axis.texts if text.get_rotation() % 90 == 0]
            words = [axis.title, axis.xaxis.label, axis.yaxis.label, *level]
            for side in (axis.xaxis, axis.yaxis):
                low, high = sorted(side.get_view_interval())
                words += [
                    tick.label1 for tick in side.get_major_ticks() if low <= tick.get_loc() <= high
                ]
            boxes += [(word.get_text(), word.get_window_extent(renderer)) for word in words]
    for legend in figure.legends:
        boxes.append(("legend", legend.get_window_extent(renderer)))
    boxes = [(word, box) for word, box in boxes if word and box.width > 0]
    return [
        (one, other)
        for place, (one, box) in enumerate(boxes)
        for other, box2 in boxes[place + 1 :]
        if box.overlaps(box2)
        and min(box.y1, box2.y1) - max(box.y0, box2.y0) > 1
        and min(box.x1, box2.x1) - max(box.x0, box2.x0) > 1
    ]


def slanted_texts(figure):
    return sorted(
        (text for axis in figure.axes for text in axis.texts if text.get_rotation() % 90), key=left
    )


def left(text):
    """Where a laid out text begins, in pixels."""
    return text.get_window_extent().x0


def test_a_panel_without_a_finished_run_says_so(cells, results_dir):
    shutil.rmtree(results_dir / "runs/toy/iid")
    results = GridResults(read_grid_runs(cells, results_dir, partial=True))
    styles = arm_styles(results.arms)
    for figure in (draw_clients(results, "toy", {}), draw_traffic(results, "toy", styles, {})):
        said = {
            axis.get_title(): [text.get_text() for text in axis.texts if text.get_text()]
            for axis in figure.axes
        }
        assert said["IID"] == ["no finished run"]
        assert said["Dirichlet α = 0.5"] == []


def test_words_do_not_overlap_with_many_arms_and_partitions(tmp_path, fake):
    partitions = ("iid", "dirichlet-0.5", "dirichlet-0.1", "site")
    arms = ["centralized", *(f"algorithm-{number}" for number in range(13))]
    cells = fake.grid(["toy"], partitions, arms, [0])
    for place, cell in enumerate(cells):
        js = {"iid": 0.05, "dirichlet-0.5": 0.40, "dirichlet-0.1": 0.6, "site": 0.41}[
            cell.partition
        ]
        traffic = 0 if cell.arm == "centralized" else 2_000_000 * (1 + place % 2)
        fake.write_run(tmp_path, cell, [0.3, 0.6], js=js, bytes_per_round=traffic)
    results = GridResults(read_grid_runs(cells, tmp_path))
    styles = arm_styles(arms)
    folders = [run.folder for run in results.runs if run.partition == "iid"]
    for figure in (
        plot_convergence(folders, x="both", title="toy, IID"),
        draw_clients(results, "toy", {}),
        draw_traffic(results, "toy", styles, {}),
        draw_heterogeneity(results, "toy", styles, {}),
        draw_confusions(results, "toy", "iid", [], {}),
    ):
        assert figure is not None
        assert overlapping_texts(figure) == []
        for one, other in pairwise(slanted_texts(figure)):
            lines_apart = math.sin(math.radians(one.get_rotation())) * (left(other) - left(one))
            assert lines_apart > one.get_fontsize() * figure.dpi / 72


def test_names_stand_in_pictures_as_they_are(tmp_path):
    names = ["$5_$10 {x}%", "Ward $^$ 1", "100 % \\frac{a}"]

    @styled
    def draw():
        figure = Figure()
        figure.subplots().set_yticks(range(3), names)
        return figure

    figure = draw()
    save(figure, tmp_path / "names")  # a formula that is none would raise
    labels = figure.axes[0].get_yticklabels()
    assert [label.get_text() for label in labels] == names
    assert not any(label.get_parse_math() for label in labels)


def test_who_watches_what_is_saved_sees_every_picture_by_its_name(tmp_path, monkeypatch):
    seen, save_it = [], FigureCanvasBase.print_figure

    def watched(self, filename, *args, **keywords):
        seen.append(str(filename))
        return save_it(self, filename, *args, **keywords)

    monkeypatch.setattr(FigureCanvasBase, "print_figure", watched)
    figure = Figure()
    figure.subplots()
    save(figure, tmp_path / "confusion_skin")
    assert [(name.endswith(".png"), "confusion_skin" in name) for name in sorted(seen)] == [
        (True, True),
        (False, True),
    ]


def test_letters_that_no_font_has_are_told_once(tmp_path, monkeypatch):
    monkeypatch.setattr(fonts, "_files", lambda: [])
    fonts._covering.cache_clear()
    fonts.undrawn()  # those of tests before this one
    figure = Figure()
    figure.subplots().set_title("\u80ba\u708e and \u03b1")  # DejaVu Sans has the last alone
    save(figure, tmp_path / "names")
    words = fonts.undrawn()
    assert words.startswith("no font on this machine has the letters \u708e\u80ba: ")
    assert "fonts-noto-cjk" in words
    assert fonts.undrawn() == ""


def test_letters_are_drawn_with_a_font_that_has_them(monkeypatch):
    serif = findfont("DejaVu Serif")
    fonts._covering.cache_clear()
    monkeypatch.setattr(fonts, "_files", lambda: [serif])
    has = fonts._letters
    own = fonts._file_of_own()
    monkeypatch.setattr(
        fonts, "_letters", lambda file: has(file) - ({0x3B1} if file == own else set())
    )
    figure = Figure()
    title = figure.subplots().set_title("\u03b1 of fedavg")
    fonts.fit_fonts(figure)
    assert title.get_fontfamily() == ["DejaVu Sans", "DejaVu Serif"]
    assert fonts.undrawn() == ""
    fonts._covering.cache_clear()


def test_no_band_reaches_beyond_what_the_metric_can_be():
    share, kappa = judged("accuracy"), judged("kappa")
    assert spread(summarise([0.9, 1.0]), share) == pytest.approx((95 - 100 * math.sqrt(0.005), 100))
    assert spread(summarise([0.0, 0.1]), share)[0] == 0
    assert spread(summarise([-0.9, -1.0]), kappa)[0] == -1
    history = [{"round": 1, "bytes_total": 1, "test_accuracy": value} for value in (0.9, 1.0)]
    curve = Curve([as_history(pd.DataFrame([one])) for one in history])
    figure = draw({"fedavg": curve}, arm_styles(["fedavg"]), metric="test_accuracy", x="rounds")
    [band] = figure.axes[0].collections
    assert band.get_paths()[0].vertices[:, 1].max() == 100


def test_each_picture_says_what_it_shows_and_what_its_marks_are(tmp_path, fake):
    cells = [*fake.write_private(tmp_path, ("iid", "dirichlet-0.5"))]
    results = GridResults(read_grid_runs(cells, tmp_path))
    pictures = draw_figures(results, tmp_path / "figures", endings=[".pdf"])
    assert len({picture.figure for picture in pictures}) == len(set(FIGURES) - set(ATTACKED))
    for picture in (one for one in pictures if one.path):
        words = picture.figure.words_above(picture.subject)
        assert words.startswith(f"{picture.figure.title}: toy")
        assert "standard deviation" in words or "mean" in words.splitlines()[1]
        assert picture.path.with_suffix(".pdf").read_bytes().startswith(b"%PDF")


@pytest.mark.parametrize("name", FIGURES.available())
def test_no_letter_is_smaller_than_seven_points(name, tmp_path, fake):
    if name in ATTACKED:
        results = crossed_results(write_crossed(fake, tmp_path), tmp_path)
    else:
        cells = fake.write_private(tmp_path, ("iid", "dirichlet-0.5"))
        results = GridResults(read_grid_runs(cells, tmp_path))
    figure = FIGURES.load(name)()
    subject = figure.subjects(results, "toy", styles=arm_styles(results.arms))[0]
    drawn = figure.draw(subject)
    sizes = {text.get_fontsize() for text in drawn.findobj(Text) if text.get_text()}
    assert min(sizes) >= 7
