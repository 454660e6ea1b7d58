"""Each figure by itself, the page that shows all of them, and a person's own."""

from __future__ import annotations

import html
import shutil
from dataclasses import replace
from itertools import product

import pytest
from crossed import ATTACKED, CROSSED, write_crossed
from matplotlib.figure import Figure
from own_figure import OWN

from medfl.errors import MedflError
from medfl.grid import load_grid
from medfl.partition import partition_title
from medfl.report.figures import Picture, draw_figures
from medfl.report.grid_results import GridResults
from medfl.report.html import write_report
from medfl.report.plots.base import GridFigure, Subject
from medfl.report.plots.registry import FIGURES
from medfl.report.plots.style import arm_styles
from medfl.report.steps import build_report
from medfl.results.runs import read_grid_runs

GRID = {
    "arms_file": None,
    "arm_settings": {"fedavg": {"algorithm": "fedavg"}},
    "datasets": ["phantom"],
    "partitions": ["iid"],
    "arms": ["fedavg"],
    "seeds": [0],
}
# What each figure shows of the made-up grid, counted by hand: axes in use, without colour bars.
PANELS = {
    "evidence": 2,
    "convergence": 2,
    "clients": 2,
    "traffic": 2,
    "heterogeneity": 1,
    "confusion": 1,
}
PANELS |= {"privacy": 6, "protection": 4, "attacked": 2, "attacked_worst": 2, "backdoor": 1}
PRIVATE = ("privacy", "protection")  # figures of grids with protected arms alone
# How many panels of a figure are of a partition without a finished run. A new figure of a whole
# dataset need not have panels at all.
EMPTY = {"evidence": 1, "clients": 1, "traffic": 1, "heterogeneity": 0}


def test_every_figure_is_in_this_suite():
    assert set(PANELS) == set(FIGURES)


def subject_of(figure: GridFigure, results: GridResults) -> Subject:
    return figure.subjects(results, "toy", styles=arm_styles(results.arms), labels={})[0]


@pytest.mark.parametrize("name", FIGURES.available())
def test_a_figure_has_words_and_draws_what_it_needs(name, results_dir, cells, tmp_path, fake):
    figure = FIGURES.load(name)()
    assert figure.title
    assert figure.needs
    assert figure.__doc__
    if name in PRIVATE:
        results_dir = tmp_path / "private"
        cells = fake.write_private(results_dir, ("iid", "dirichlet-0.5"))
    if name in ATTACKED:
        results_dir = tmp_path / "attacked"
        cells = write_crossed(fake, results_dir, ("iid", "dirichlet-0.5"))
    crossed = CROSSED if name in ATTACKED else None
    results = GridResults(read_grid_runs(cells, results_dir), crossed=crossed)
    subjects = figure.subjects(results, "toy", styles=arm_styles(results.arms), labels={})
    parts = {"partition": ["iid", "dirichlet-0.5"], "dataset": [None]}[figure.per]
    asked = list(results.questions("toy")) if figure.both else ["own"]
    assert [(one.partition, one.question) for one in subjects] == list(product(parts, asked))
    drawn = figure.draw(subjects[0])
    in_use = [axis for axis in drawn.axes if axis.get_visible() and axis.get_label() == ""]
    assert len(in_use) == PANELS[name]
    caption = figure.caption(subjects[0])
    assert caption.startswith("toy, IID:" if figure.per == "partition" else "toy:")
    assert caption.endswith(".")


@pytest.mark.parametrize("name", sorted(set(FIGURES) - {*PRIVATE, *ATTACKED}))
def test_without_a_run_a_figure_is_left_out_or_says_that_it_is_empty(name, tmp_path, fake):
    cell = fake.Cell("toy", "iid", "fedavg", 0)
    other = fake.Cell("toy", "dirichlet-0.5", "fedavg", 0)
    fake.write_run(tmp_path, cell, [0.3, 0.5])
    results = GridResults(read_grid_runs([cell, other], tmp_path, partial=True))
    figure = FIGURES.load(name)()
    subject = subject_of(figure, results)
    if figure.per == "partition":
        assert figure.draw(replace(subject, partition="dirichlet-0.5")) is None
        return
    drawn = figure.draw(subject)
    title = partition_title("dirichlet-0.5")
    empty = [axis for axis in drawn.axes if axis.get_title() == title] if drawn else []
    for axis in empty:
        assert [text.get_text() for text in axis.texts] == ["no finished run"]
    assert len(empty) == EMPTY.get(name, len(empty))


@pytest.mark.parametrize("private", [False, True])
def test_the_page_shows_every_figure_with_its_title_and_caption(private, tmp_path, fake):
    results_dir = tmp_path / "results"
    write = fake.write_private if private else fake.write_results
    cells = write(results_dir, ("iid", "dirichlet-0.5"))
    results = build_report(cells, results_dir)
    page = html.unescape((results_dir / "report.html").read_text(encoding="utf-8"))
    for name in FIGURES:
        if name in ATTACKED or (name in PRIVATE and not private):
            assert f"<h3>{FIGURES.load(name).title}</h3>" not in page
            continue
        figure = FIGURES.load(name)()
        assert f"<h3>{figure.title}</h3>" in page
        for subject in figure.subjects(results, "toy"):
            assert f"<figcaption>{figure.caption(subject)}" in page
            apart = "" if subject.question == "own" else subject.question
            stem = "_".join(filter(None, (name, "toy", subject.partition, apart)))
            assert (results_dir / f"figures/{stem}.svg").exists()


def test_the_page_says_which_figure_is_not_drawn_and_what_it_needs(tmp_path, fake):
    cells = [fake.Cell("toy", name, "fedavg", 0) for name in ("iid", "dirichlet-0.5")]
    fake.write_run(tmp_path, cells[0], [0.3, 0.5])  # the other partition has no run
    build_report(cells, tmp_path)
    page = html.unescape((tmp_path / "report.html").read_text(encoding="utf-8"))
    other = partition_title("dirichlet-0.5")
    assert f">Convergence ({other}): not drawn, it needs runs, finished or diverged.<" in page
    assert "<h3>Convergence</h3>" in page
    for name in set(FIGURES) - {*PRIVATE, *ATTACKED}:
        figure = FIGURES.load(name)()
        shown = f"<h3>{figure.title}</h3>" in page
        assert shown or f">{figure.title}: not drawn, it needs {figure.needs}.<" in page
    assert "<h3>Accuracy and heterogeneity</h3>" not in page  # one partition is no line


def test_all_pictures_are_drawn_as_png_and_svg_and_the_same_each_time(tmp_path, fake):
    written = fake.write_results(tmp_path, ("iid",))
    cells = [cell for cell in written if cell.arm in ("centralized", "fedprox")]
    shutil.rmtree(tmp_path / "runs/toy/iid/fedprox/seed1")
    results = GridResults(read_grid_runs(cells, tmp_path, partial=True))
    one, two = tmp_path / "one", tmp_path / "two"
    pictures = draw_figures(results, one)
    drawn = [picture for picture in pictures if picture.path]
    stems = [picture.path.stem for picture in drawn]
    known = ["convergence_toy_iid", "clients_toy", "traffic_toy", "confusion_toy_iid"]
    assert [stem for stem in stems if stem in known] == known
    assert "heterogeneity_toy" not in stems, "it needs two partitions"
    ends = {"partition": "_toy_iid", "dataset": "_toy"}
    every = [f"{name}{ends[FIGURES.load(name).per]}" for name in FIGURES]
    assert stems == [stem for stem in every if stem in stems], "the registry's order"
    draw_figures(results, two, cores=3)
    names = sorted(path.name for path in one.iterdir())
    assert len(names) == 2 * len(drawn)
    for name in names:
        assert (one / name).read_bytes() == (two / name).read_bytes(), name


def test_a_process_that_is_killed_while_it_draws_is_one_sentence(
    results_dir, cells, own_module, monkeypatch
):
    # Whatever threads other tests have left: this process is not to be killed.
    for place in ("medfl.report.figures.can_fork", "medfl.files.processes.can_fork"):
        monkeypatch.setattr(place, lambda: True)
    killed = OWN.replace("figure = Figure()", "os.kill(os.getpid(), 9)")
    own_module("my_plots", killed.replace("from matplotlib", "import os\nfrom matplotlib", 1))
    results = GridResults(read_grid_runs(cells, results_dir))
    with pytest.raises(MedflError, match=r"Seeds_toy: the process that draws it was ended"):
        draw_figures(results, results_dir / "figures", ["my_plots:Seeds"], cores=2)


class Odd(GridFigure):
    title, needs, shown = "Odd", "nothing", "somewhere"  # type: ignore[assignment]

    def caption(self, subject):
        return "A figure whose place the page does not know."

    def draw(self, subject):
        return Figure()


def test_the_page_refuses_a_figure_that_it_has_no_place_for(results_dir, cells):
    results = GridResults(read_grid_runs(cells, results_dir))
    drawn = draw_figures(results, results_dir / "figures", ["clients"])
    odd = Odd()
    page = results_dir / "report.html"

    def write(*pictures):
        options = {"splits": {}, "prepared_dir": None, "configuration": {}}
        write_report(results, page, figures=pictures, **options)

    write(*drawn)
    page.unlink()
    with pytest.raises(MedflError, match="no place for the figure Odd, whose `shown` is 'somewhe"):
        write(*drawn, Picture(drawn[0].path, odd, Subject(results, "toy")))
    with pytest.raises(MedflError, match=r"no place for .*clients_toy.png"):
        write(replace(drawn[0], subject=Subject(results, "another dataset")))
    assert not page.exists()


def test_a_persons_own_figure(results_dir, cells, tmp_path, own_module):
    own_module("my_plots", OWN)
    build_report(cells, results_dir, figures=["clients", "my_plots:Seeds"])
    written = sorted(path.name for path in (results_dir / "figures").glob("*.png"))
    assert written == ["Seeds_toy.png", "clients_toy.png"]
    page = (results_dir / "report.html").read_text(encoding="utf-8")
    assert "<h3>How many seeds</h3>" in page
    assert "<h3>Convergence</h3>" not in page
    with pytest.raises(MedflError, match="two figures are called Seeds"):
        draw_figures(
            GridResults(read_grid_runs(cells, results_dir)), tmp_path, ["my_plots:Seeds"] * 2
        )
    with pytest.raises(MedflError, match="the figure `my_plots:Sed` cannot be loaded"):
        draw_figures(GridResults(read_grid_runs(cells, results_dir)), tmp_path, ["my_plots:Sed"])


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("    title = ", "    heading = ", "lacks the class attribute `title`: it must be a text"),
        (
            '"runs"',
            '"runs"\n    shown = "x"',
            "its class attribute `shown` is 'x': it must be 'first', 'open' or 'fo",
        ),
        ("def caption", "def captoin", r"lacks `caption`, .* write `def caption\(self, subject\)`"),
        ("draw(self, subject)", "draw(self)", r"`draw` does not take .*write `def draw\(self, sub"),
    ],
)
def test_a_figure_that_the_report_cannot_use_is_refused_with_the_grid(
    own_module, old, new, message
):
    assert old in OWN
    own_module("my_plots", OWN.replace(old, new))
    with pytest.raises(MedflError, match=f"^the grid: the figure `my_plots:Seeds`:? ?{message}"):
        load_grid({**GRID, "figures": ["my_plots:Seeds"]})


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("figure = Figure()", "1 / 0", r"ZeroDivisionError: .*in Seeds.draw, line 13 of my_plots"),
        ("return figure", "return 'x'", "draw gave str, but needed is a matplotlib Figure, or No"),
        ('return f"', 'return 1 or f"', "caption gave int, but needed is a text"),
    ],
)
def test_a_figure_that_fails_is_one_sentence(results_dir, cells, own_module, old, new, message):
    own_module("my_plots", OWN.replace(old, new))
    with pytest.raises(MedflError, match=f"^the figure `my_plots:Seeds`: {message}"):
        build_report(cells, results_dir, figures=["my_plots:Seeds"])


def test_a_grid_chooses_its_figures(own_module):
    assert load_grid(GRID).figures is None
    own_module("my_plots", OWN)
    chosen = ["clients", "my_plots:Seeds"]
    assert load_grid({**GRID, "figures": chosen}).figures == chosen
    with pytest.raises(MedflError, match="unknown figure `client`; did you mean `clients`"):
        load_grid({**GRID, "figures": ["client"]})
