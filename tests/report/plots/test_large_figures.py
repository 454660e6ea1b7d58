"""Twenty arms and six partitions: every word of every figure can be read."""

from __future__ import annotations

from itertools import combinations

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from medfl.report.figures import draw_figures
from medfl.report.grid_results import GridResults
from medfl.report.plots.registry import FIGURES
from medfl.report.plots.style import arm_styles
from medfl.results.runs import read_grid_runs

DISTANCES = {"iid": 0.05, "dirichlet-0.5": 0.4, "dirichlet-0.1": 0.6, "site": 0.41}
DISTANCES |= {"pathological-2": 0.62, "quantity-1.5": 0.1}
ARMS = ["centralized", "local", "fedbn", *(f"algorithm-{k}-of-a-hospital" for k in range(17))]
OF_OTHER_GRIDS = {"privacy", "protection", "attacked", "attacked_worst", "backdoor"}
KINDS = {"local": "local", "fedbn": "personal"}


@pytest.fixture(scope="module")
def results(tmp_path_factory, fake):
    folder = tmp_path_factory.mktemp("large")
    cells = fake.grid(["a-data-set-with-a-name"], DISTANCES, ARMS, [0])
    for number, cell in enumerate(cells):
        traffic = 0 if cell.arm in ("centralized", "local") else 1_000_000 * (1 + number % 3)
        fake.write_run(
            folder,
            cell,
            [0.3, 0.4 + number % 17 / 40],
            evaluated=KINDS.get(cell.arm, "global"),
            js=DISTANCES[cell.partition],
            bytes_per_round=traffic,
        )
    return GridResults(read_grid_runs(cells, folder))


def words_of(figure):
    """The words of a laid out figure with their boxes: titles, labels, ticks, notes, legends."""
    renderer = FigureCanvasAgg(figure).get_renderer()
    found = [figure._suptitle, *figure.legends]
    for axis in (axis for axis in figure.axes if axis.get_visible()):
        found += [axis.title, axis.xaxis.label, axis.yaxis.label, *axis.texts]
        for side in (axis.xaxis, axis.yaxis):
            low, high = sorted(side.get_view_interval())
            ticks = [tick for tick in side.get_major_ticks() if low <= tick.get_loc() <= high]
            found += [tick.label1 for tick in ticks if tick.label1.get_visible()]
    named = [(getattr(one, "get_text", lambda: "legend")(), one) for one in found]
    return [(word, one.get_window_extent(renderer)) for word, one in named if word.strip()]


@pytest.mark.parametrize("name", sorted(set(FIGURES) - OF_OTHER_GRIDS))
def test_no_word_meets_another_or_leaves_the_picture(name, results, tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr("medfl.report.figures.save", lambda figure, *_: drawn.append(figure))
    monkeypatch.setattr("medfl.report.figures.data_uri", str)  # there is no file
    draw_figures(results, tmp_path, [name])
    figure = drawn[0]
    figure.draw_without_rendering()
    words = words_of(figure)
    assert len(words) > len(ARMS) / 2
    page = figure.bbox.padded(1)
    for word, box in words:
        assert page.contains(box.x0, box.y0), word
        assert page.contains(box.x1, box.y1), word
    for (one, a), (other, b) in combinations(words, 2):
        across, down = min(a.x1, b.x1) - max(a.x0, b.x0), min(a.y1, b.y1) - max(a.y0, b.y0)
        assert min(across, down) <= 1, (one, other)


def test_no_two_of_the_arms_look_alike():
    styles = arm_styles(ARMS, ["centralized", "local"]).values()
    assert len({(one.color, str(one.line), one.marker) for one in styles}) == len(ARMS)
