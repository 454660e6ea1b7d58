"""A figure drawn once for two files is what matplotlib draws for each of them by itself."""

import io

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.patches import Circle
from matplotlib.transforms import Affine2D
from PIL import Image

from medfl.pages.figures import DPI, RC, save
from medfl.pages.one_pass import OnePass

SHADES = np.linspace(0, 1, 12).reshape(3, 4)


def lines(axis):
    axis.plot([0, 1, 2], [0, 2, 1], color="#0072B2", linestyle="--", linewidth=2)
    axis.plot([0, 1, 2], [3, 0, 3], color="#D55E00", alpha=0.5)
    axis.set_ylim(0, 2.5)  # a line leaves the panel


def marks(axis):
    axis.plot([0, 1, 2], [1, 2, 1], "o", color="#009E73", markersize=9, clip_on=False)


def points(axis):
    axis.scatter([0, 1, 2], [1, 2, 0], s=[30, 90, 200], c=["#CC79A7", "#E69F00", "#56B4E9"])


def bars(axis):
    axis.bar([0, 1, 2], [1, 3, 2], color=["#0072B2", "#D55E00", "#009E73"])
    axis.bar([3], [2], color="white", edgecolor="black", hatch="//")


def bands(axis):
    axis.fill_between([0, 1, 2], [0, 1, 0], [1, 2, 2], color="#0072B2", alpha=0.25, linewidth=0)
    axis.errorbar([0, 1], [1, 1], yerr=[0.5, 0.2], color="#000000", capsize=4)


def cells(axis):
    axis.pcolormesh(SHADES, cmap="Blues")


def picture(axis):
    axis.imshow(SHADES, cmap="Blues", interpolation="nearest", aspect="auto")


def turned(axis):
    drawn = axis.imshow(SHADES, cmap="Blues", interpolation="none", aspect="auto")
    drawn.set_transform(Affine2D().rotate_deg(20) + axis.transData)


def enlarged(axis):
    axis.imshow(SHADES, cmap="Reds", interpolation="none", aspect="auto", alpha=0.7)


def clipped(axis):
    drawn = axis.imshow(SHADES, cmap="Reds", interpolation="nearest", aspect="auto")
    drawn.set_clip_path(Circle((1.5, 1), 0.9, transform=axis.transData))


def triangles(axis):
    axis.tripcolor([0, 1, 0], [0, 0, 1], [0.1, 0.5, 0.9], shading="gouraud", cmap="Blues")


KINDS = [lines, marks, points, bars, bands, cells, picture, enlarged, turned, clipped, triangles]


def figure_of(draw, named=False):
    figure = Figure(figsize=(3.1, 1.9))
    axis = figure.subplots()
    draw(axis)
    if not named:
        axis.tick_params(labelleft=False, labelbottom=False)
    return figure


def drawn(figure, folder):
    """An SVG, and the pixels that are painted with it."""
    canvas, path = OnePass(figure, DPI), folder / "drawn.svg"
    figure.savefig(path, dpi=72)
    return path.read_text(), canvas.get_renderer().pixels()[..., :3].astype(int)


def by_matplotlib(figure, ending):
    file = io.BytesIO()
    figure.savefig(file, dpi=DPI, format=ending, metadata={"Date": None} if ending == "svg" else {})
    return file


@pytest.mark.parametrize("draw", KINDS)
def test_pixels_are_those_of_matplotlib(draw, tmp_path):
    with mpl.rc_context(RC):
        _, ours = drawn(figure_of(draw), tmp_path)
        with Image.open(by_matplotlib(figure_of(draw), "png")) as whole:
            theirs = np.asarray(whole.convert("RGB"), dtype=int)
    apart = np.abs(ours - theirs).max(axis=2)
    assert ours.shape == theirs.shape == (243, 396, 3)
    assert (theirs != 255).any(axis=2).mean() > 0.01
    assert (apart > 64).mean() < 0.005, "something is elsewhere"
    assert apart.mean() < 0.5


@pytest.mark.parametrize(
    "draw", [lines, marks, points, bars, bands, cells, enlarged, turned, triangles]
)
def test_an_svg_has_the_bytes_of_matplotlibs(draw, tmp_path):
    with mpl.rc_context(RC):
        ours, _ = drawn(figure_of(draw, named=True), tmp_path)
        theirs = by_matplotlib(figure_of(draw, named=True), "svg").getvalue().decode()
    assert ours == theirs


def ink(pixels):
    """Rows and columns of the first and last dark pixel."""
    dark = (pixels < 128).all(axis=2)
    return [np.flatnonzero(dark.any(axis=one))[[0, -1]] for one in (1, 0)]


@pytest.mark.parametrize("turned", [0, 35, 90])
@pytest.mark.parametrize("text", ["Dirichlet 0.5, gj", "two\nlines", "μ ± ç"])
def test_a_text_stands_where_matplotlib_writes_it(text, turned, tmp_path):
    def figure():
        figure = Figure(figsize=(3.1, 1.9))
        figure.text(0.5, 0.5, text, rotation=turned, ha="center", va="center", fontsize=14)
        return figure

    _, ours = drawn(figure(), tmp_path)
    with Image.open(by_matplotlib(figure(), "png")) as whole:
        theirs = np.asarray(whole.convert("RGB"), dtype=int)
    assert np.abs(np.subtract(ink(ours), ink(theirs))).max() <= 2  # pixels
    assert (255 - ours).sum() == pytest.approx((255 - theirs).sum(), rel=0.15)


def test_a_formula_of_ones_own_figure_is_drawn(tmp_path):
    figure = Figure(figsize=(3.1, 1.9))
    figure.text(0.5, 0.5, r"$\frac{\alpha}{2}$", fontsize=20, parse_math=True)
    _svg, pixels = drawn(figure, tmp_path)
    (top, bottom), (left, right) = ink(pixels)
    assert bottom - top > right - left > 5


def test_a_picture_on_the_figure_itself_has_its_own_pixels(tmp_path):
    figure = Figure(figsize=(3.1, 1.9))
    figure.figimage(np.zeros((10, 20)), 30, 40, cmap="gray")
    _svg, pixels = drawn(figure, tmp_path)
    (top, bottom), (left, right) = ink(pixels)
    assert (right - left + 1, bottom - top + 1) == (20, 10)


def test_what_asks_to_be_pixels_is_pixels_in_the_svg_too(tmp_path):
    figure = Figure(figsize=(3.1, 1.9))
    figure.subplots().plot(range(50), "o", rasterized=True)
    save(figure, tmp_path / "points")
    svg = by_matplotlib(figure, "svg").getvalue().decode()
    assert (tmp_path / "points.svg").read_text().count("<image") == svg.count("<image") == 1
    assert (tmp_path / "points.svg").stat().st_size > 0.9 * len(svg)  # as fine as at 128 dpi
    with Image.open(tmp_path / "points.png") as picture:
        assert picture.size == (396, 243)


def test_the_figure_keeps_its_canvas(tmp_path):
    figure = Figure()
    before = figure.canvas
    save(figure, tmp_path / "a")
    assert figure.canvas is before


def test_a_figure_can_be_measured_and_streamed_after_it_was_saved(tmp_path):
    figure = Figure(figsize=(3.1, 1.9))
    text = figure.text(0.5, 0.5, "fedavg")
    canvas = OnePass(figure, DPI)
    figure.savefig(tmp_path / "a.png", dpi=72)
    figure.draw_without_rendering()  # matplotlib asks the canvas for whoever draws
    assert 0 < text.get_window_extent().width < 396
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=72)
    with Image.open(stream) as picture:
        assert picture.format == "PNG"
    assert figure.canvas is canvas
