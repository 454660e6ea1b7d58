"""The report in a real browser: its first screen is whole at both widths, and its curves answer."""

from __future__ import annotations

import pytest
from browser import needs_browser, visit
from crossed import CROSSED, write_crossed

from medfl.report.steps import build_report

pytestmark = [pytest.mark.slow, needs_browser]

SIZES = {"desk": (1280, 800), "phone": (390, 844)}
# Texts of the first screen that lie over one another or reach out of it. What scrolls by itself
# may be wider than the screen.
LOOK = """
const words = [], walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
  const node = walker.currentNode, parent = node.parentElement;
  if (!node.data.trim() || parent.closest("script, style, noscript, .tip")) continue;
  const range = document.createRange();
  range.selectNodeContents(node);
  const scrolls = !!parent.closest(".scroll"), text = node.data.trim();
  for (const box of range.getClientRects())
    if (box.width > 0 && box.top < innerHeight) words.push({box, text, scrolls});
}
const over = [];
words.forEach((one, k) => words.slice(k + 1).forEach(other => {
  const across = Math.min(one.box.right, other.box.right) - Math.max(one.box.left, other.box.left);
  const down = Math.min(one.box.bottom, other.box.bottom) - Math.max(one.box.top, other.box.top);
  if (across > 2 && down > 4) over.push([one.text, other.text]);
}));
const outside = ({box, scrolls}) => !scrolls && (box.left < -1 || box.right > innerWidth + 1);
const out = words.filter(outside).map(one => one.text);
const small = words.filter(one => one.box.height < 11).map(one => one.text);
const wide = document.documentElement.scrollWidth - innerWidth;
const first = document.querySelector(".answer dd").getBoundingClientRect().bottom;
return {over, out, small, count: words.length, wide, first};
"""


@pytest.fixture(scope="module")
def page(tmp_path_factory, fake):
    """The report of a grid of two partitions and five arms."""
    folder = tmp_path_factory.mktemp("browser")
    cells = fake.write_results(folder)
    build_report(cells, folder)
    return (folder / "report.html").read_text("utf-8")


@pytest.mark.parametrize("size", SIZES)
def test_the_first_screen_is_whole(page, size, tmp_path):
    found = visit(page, tmp_path / "visit", LOOK, *SIZES[size])
    assert found["count"] > 20
    assert (found["over"], found["out"], found["small"]) == ([], [], [])
    assert found["wide"] <= 0, "the page itself does not scroll sideways"
    assert found["first"] < SIZES[size][1], "the answer stands on the first screen"


@pytest.mark.parametrize(
    ("style", "what"),
    [
        ("nav { margin-top: -2rem; }", "over"),
        ("h1 { white-space: nowrap; }", "out"),
        (".answer { font-size: 7px; }", "small"),
    ],
)
def test_the_look_at_it_notices_what_is_wrong(page, style, what, tmp_path):
    spoiled = page.replace("</style>", f"{style}</style>", 1)
    assert visit(spoiled, tmp_path / "visit", LOOK, *SIZES["phone"])[what]


EVIDENCE = """
const figure = document.querySelector(".sheet"), box = figure.getBoundingClientRect();
const all = words => [...figure.querySelectorAll(words)], at = one => one.getBoundingClientRect();
const names = all(".lines span:not(:empty):not(.axis)"), dots = all(".track > use ~ g");
const places = names.map(at), tracks = all(".track:not(.at)").map(at), marks = dots.map(at);
const panels = all(".panel").map(at), letters = [...names, ...all(".at text")];
const title = dots.find(one => one.textContent.startsWith("fedavg, own patients")).textContent;
const middle = one => one.top + one.height / 2;
const inside = ({left, right}) => left >= box.left && right <= box.right;
return {
  wide: figure.scrollWidth - figure.clientWidth,
  scrolls: !!figure.closest(".scroll"),
  inside: [...places, ...tracks, ...marks].every(inside) && box.right <= innerWidth,
  size: Math.min(...letters.map(one => parseFloat(getComputedStyle(one).fontSize))),
  level: places.every((one, k) => Math.abs(middle(one) - middle(tracks[k])) < 3),
  apart: places.every((one, k) => one.right <= tracks[k].left),
  track: Math.min(...tracks.map(one => one.width)),
  stacked: panels[1].top >= panels[0].bottom,
  title, names: names.length, marks: marks.length,
};
"""


@pytest.mark.parametrize("size", SIZES)
def test_the_evidence_is_legible_without_scrolling_sideways(page, size, tmp_path):
    """Two panels of five arms with two answers each; beside each other where there is room."""
    found = visit(page, tmp_path / "visit", EVIDENCE, *SIZES[size])
    assert (found["names"], found["marks"]) == (10, 20)
    assert found["wide"] <= 0
    assert not found["scrolls"]
    assert found["inside"]
    assert found["level"], "a name stands beside its line"
    assert found["apart"]
    assert found["size"] >= 12
    assert found["track"] >= 180
    assert found["stacked"] is (size == "phone")
    assert found["title"].startswith("fedavg, own patients: 82.0 (")


POINT = """
const board = document.querySelector(".board"), svg = board.querySelector("svg");
const before = svg.querySelectorAll("g").length;
board.scrollIntoView();
const at = [...svg.querySelectorAll("g[data-arm='2'] text")].at(-1).getBoundingClientRect();
const where = {clientX: at.x + at.width / 2, clientY: at.y + at.height / 2};
svg.dispatchEvent(new PointerEvent("pointermove", where));
const tip = board.querySelector(".tip");
const said = tip.hidden ? "" : tip.textContent;
const faint = svg.querySelectorAll("g.faint").length;
board.querySelector(".arm").click();
const after = svg.querySelectorAll("g").length;
[...board.querySelectorAll(".view")].at(-1).click();
const axis = [...svg.querySelectorAll(":scope > text")].map(one => one.textContent);
return {before, said, faint, after, axis};
"""


def test_a_curve_tells_its_numbers_and_an_arm_can_be_hidden(page, tmp_path):
    """The last point of fedavg in IID: 82 ± 2 in round 2."""
    found = visit(page, tmp_path / "visit", POINT, *SIZES["desk"])
    assert (found["before"], found["after"]) == (5, 4)
    assert found["said"] == "fedavg: 82.0 ± 2.0, round 2"
    assert found["faint"] == 4, "the other arms step back"
    assert "Traffic up and down, all clients (MB)" in found["axis"]


GROUP = """
const board = document.querySelector(".board"), names = () => [...board.querySelectorAll(".arm")]
  .filter(one => one.getClientRects().length).map(one => one.textContent.slice(2));
const first = names(), lines = () => board.querySelectorAll("svg g[data-arm]").length;
const before = lines();
[...board.querySelectorAll(".view")].find(one => one.textContent.startsWith("backdoor")).click();
return {first, before, then: names(), after: lines()};
"""


def test_the_curves_show_arms_that_are_attacked_alike(fake, tmp_path):
    build_report(write_crossed(fake, tmp_path), tmp_path, crossed=CROSSED)
    page = (tmp_path / "report.html").read_text("utf-8")
    found = visit(page, tmp_path / "visit", GROUP, *SIZES["desk"])
    assert (found["first"], found["before"]) == (["fedavg", "fedavg+krum"], 2)
    assert (found["then"], found["after"]) == (["fedavg+sum+backdoor-3"], 1)
