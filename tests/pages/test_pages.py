"""What cards and reports share: templates that escape, pictures inside the page, and panels."""

from __future__ import annotations

import base64
import io

import jinja2
import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from medfl.pages.figures import RC, panels, save, styled
from medfl.pages.html import code_words, data_uri, environment


def test_a_template_escapes_what_is_put_in_and_refuses_what_is_missing(tmp_path):
    (tmp_path / "page.html.j2").write_text("<p>{{ word }}</p>{% include 'style.css' %}")
    page = environment(tmp_path).get_template("page.html.j2")
    assert page.render(word="<b>").startswith("<p>&lt;b&gt;</p>")
    with pytest.raises(jinja2.UndefinedError):
        page.render()


def test_a_note_has_its_code_set_as_code_and_all_else_escaped():
    assert str(code_words("`a < b` & c")) == "<code>a &lt; b</code> &amp; c"


def embedded(path):
    """The kind of a picture in the page, and its bytes."""
    kind, content = data_uri(path).removeprefix("data:image/").split(";base64,")
    return kind, base64.b64decode(content)


def test_a_picture_becomes_text_in_the_page_with_all_its_pixels(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(b"\x00\x01\x02")  # no picture, which the page need not notice
    assert data_uri(path) == "data:image/png;base64,AAEC"
    shades = np.random.default_rng(0).integers(0, 256, (90, 70, 3), np.uint8)
    photograph, drawing = Image.fromarray(shades), Image.fromarray(shades).quantize(50)
    photograph.save(path)
    assert embedded(path) == ("png", path.read_bytes())
    drawing.save(path)
    kind, content = embedded(path)
    assert kind == "webp"
    with Image.open(io.BytesIO(content)) as shown:
        assert np.array_equal(np.array(shown), np.array(drawing.convert("RGB")))
    path.write_bytes(path.read_bytes()[:-100])  # cut off
    assert embedded(path) == ("png", path.read_bytes())


@pytest.mark.parametrize(
    ("count", "most", "grid"), [(1, 3, (1, 1)), (3, 3, (1, 3)), (4, 3, (2, 2)), (7, 3, (3, 3))]
)
def test_rows_and_columns_of_panels(count, most, grid):
    assert panels(count, most) == grid


def saved_colours(figure, stem):
    with Image.open(save(figure, stem)) as picture:
        return {colour for _, colour in picture.convert("RGB").getcolors(2**24)}


def test_a_drawing_has_few_colours_and_a_photograph_keeps_all_of_its_own(tmp_path):
    drawing, photograph = Figure(), Figure()
    shades = np.linspace(0, 1, 130**2).reshape(130, 130)
    for k in range(50):
        drawing.subplots().plot([0, 1], [0, k], color=mpl.colormaps["hsv"](k / 50))
    axis = photograph.add_axes((0, 0, 1, 1))
    axis.imshow(np.stack([shades, shades.T, 1 - shades], axis=2))
    assert len(saved_colours(drawing, tmp_path / "drawing")) <= 128
    assert len(saved_colours(photograph, tmp_path / "photograph")) > 5000


def test_a_drawing_is_to_the_eye_what_matplotlib_draws(tmp_path):
    figure = Figure(figsize=(3, 1.5))
    axis = figure.subplots()
    axis.bar([0, 1, 2], [1, 3, 2], color=["#0072B2", "#D55E00", "#009E73"])
    axis.tick_params(labelleft=False, labelbottom=False)  # letters: tests/pages/test_one_pass.py
    with Image.open(save(figure, tmp_path / "few")) as picture:
        few = np.array(picture.convert("RGB"), dtype=int)
    figure.savefig(tmp_path / "all.png", dpi=128)
    with Image.open(tmp_path / "all.png") as picture:
        whole = np.array(picture.convert("RGB"), dtype=int)
    assert few.shape == whole.shape == (192, 384, 3)
    assert np.abs(few - whole).max() <= 16  # of 255
    assert np.abs(few - whole).mean() < 1


def test_a_users_own_settings_stay_as_they_are(tmp_path):
    before = mpl.rcParams["font.size"]

    @styled
    def size():
        return mpl.rcParams["font.size"]

    assert size() == RC["font.size"] != before
    assert mpl.rcParams["font.size"] == before
    figure = Figure()
    figure.subplots().plot([0, 1])
    assert save(figure, tmp_path / "a") == tmp_path / "a.png"
    one = (tmp_path / "a.svg").read_bytes()
    save(figure, tmp_path / "a")
    assert (tmp_path / "a.svg").read_bytes() == one
