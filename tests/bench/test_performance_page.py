"""``docs/performance.md`` has the figures of the reference files, and no other."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from bench_records import figure, record

from benchmarks import page
from benchmarks.comparison import LEAST, LEAST_OF_ONE
from benchmarks.on_gpu.measuring import full
from benchmarks.page import PAGE, PLACES, marks, rendered, with_figures
from benchmarks.results_file import FOLDER, read_record
from medfl.errors import MedflError

TEXT = PAGE.read_text(encoding="utf-8")


@pytest.mark.parametrize("place", PLACES)
def test_the_figures_of_the_page_are_those_of_the_reference_files(place):
    assert with_figures(TEXT, read_record(FOLDER / f"{place}.json"), place) == TEXT


def test_the_rest_of_the_page_has_no_figure():
    """A number with a decimal point is one; the rules of the comparison are not."""
    text = TEXT
    for place in PLACES:
        begin, end = marks(place)
        before, _, rest = text.partition(begin)
        text = before + rest.partition(end)[2]
    prose = re.sub(r"```.*?```|`[^`]*`", "", text, flags=re.DOTALL)
    assert re.findall(r"\d+\.\d+", prose) == []
    percentages = {int(number) for number in re.findall(r"(\d+) %", prose)}
    assert percentages == {round(100 * (least - 1)) for least in (LEAST, LEAST_OF_ONE)}


def test_parts_stand_in_the_order_of_their_titles():
    parts = {name: record(figure()).parts["rounds"] for name in ("mine", "memory", "rounds")}
    made = replace(record(figure()), parts=parts)
    headings = [line for line in rendered(made).splitlines() if line.startswith("#")]
    assert headings == ["### A round", "### Memory", "### mine"]


def test_the_page_says_what_the_gpu_script_measures():
    for words in ("CNN and ResNet-18 at 28²", "ResNet-18 at 64²", "EfficientNet-B0 at 224²"):
        assert words in TEXT
    assert len(full("cuda", 1).shapes) == 5
    assert read_record(FOLDER / "h100.json").machine.gpu


def test_a_record_is_rendered_with_what_was_missed_and_what_was_not_measured():
    made = record(
        figure("slow", (1.0, 1.5, 2.0, 2.5, 3.0), target=1.05, note="2 s / 1 s"),
        figure("fast", (123.4,), unit="images/s", waited=1.5),
        figure("Flower", (), note="no FLOWER"),
        figure("one", (), note="did not fit: 3 s are needed"),
        figure("two", (), note="did not fit: 5 s are needed"),
        failed="RuntimeError: disk full",
    )
    assert rendered(made) == (
        "Measured on Some CPU, 2 cores, 24 GiB of memory; python 3.11.7.\n"
        "Above their targets: slow.\n"
        "\n"
        "### A round\n"
        "\n"
        "2026-03-01, commit abc. Ended early: RuntimeError: disk full.\n"
        "\n"
        "| figure | median | spread | pairs | target | behind it |\n"
        "| --- | --- | --- | --- | --- | --- |\n"
        "| slow | **2.00** | 1.50 to 2.50 | 5 | 1.05 | 2 s / 1 s |\n"
        "| fast | 123 | 123 to 123 | 1 |  | images/s; others kept the machine busy |\n"
        "\n"
        "- `Flower` is not measured here: no FLOWER.\n"
        "- `one`, `two` are not measured here: no time was left."
    )


def test_figures_replace_those_before_and_nothing_else():
    made = record(figure())
    begin, end = marks("reference")
    once = with_figures(f"# Page\n\n{begin}\nold\n{end}\n\n## After\n", made)
    assert once == f"# Page\n\n{begin}\n\n{rendered(made)}\n\n{end}\n\n## After\n"
    assert with_figures(once, made) == once


def test_a_page_without_a_place_is_one_sentence(monkeypatch, tmp_path, capsys):
    with pytest.raises(MedflError, match="the page has no place for figures"):
        with_figures("# Page\n", record(figure()))
    monkeypatch.setattr(page, "PAGE", tmp_path / "page.md")
    monkeypatch.setattr(page, "FOLDER", tmp_path)
    (tmp_path / "page.md").write_text("# Page\n")
    assert page.main() == 2
    assert capsys.readouterr().err.startswith("error: ")
