from __future__ import annotations

import base64
import io
import json
import re
import shutil
from html.parser import HTMLParser

import pytest
from PIL import Image

from medfl.report.grid_results import GridResults
from medfl.report.html import write_report
from medfl.report.steps import build_report, headline
from medfl.results.runs import read_grid_runs

VOID = {"meta", "img", "br"}


class Page(HTMLParser):
    """Collects what a browser would load and checks that tags close in order."""

    def __init__(self, text):
        super().__init__()
        self.open, self.sources, self.images, self.words = [], [], [], []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        if tag not in VOID:
            self.open.append(tag)
        self.sources += [attrs[key] for key in ("src", "href", "data", "srcset") if key in attrs]
        if tag == "img":
            self.images.append(attrs)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] not in ("style", "script"):
            self.words.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())


@pytest.fixture(scope="module")
def built(tmp_path_factory, fake):
    """A report of a grid with a missing and a diverged run, with everything beside it."""
    results_dir = tmp_path_factory.mktemp("report")
    cells = fake.write_results(results_dir)
    runs = results_dir / "runs/toy/iid"
    shutil.rmtree(runs / "fedprox/seed2")
    shutil.rmtree(runs / "fedavg/seed0")
    cell = fake.Cell("toy", "iid", "fedavg", 0)
    fake.write_run(results_dir, cell, [0.3, 0.2], status="diverged")
    (runs / "fedbn/seed0/config.yaml").write_text(
        "federated_learning:\n  algorithm_params: {mu: 0.25}\n"
    )
    prepared, picture = results_dir / "prepared", results_dir / "splits/seed0.png"
    (prepared / "toy").mkdir(parents=True)
    (prepared / "toy/dataset.yaml").write_text(
        "title: Toy <images>\nsynthetic: true\nclasses: [a, b, c]\nlicence: MIT\ncitation: none\n"
    )
    picture.parent.mkdir(parents=True)
    picture.write_bytes(b"\x89PNG split picture")
    results = build_report(
        cells,
        results_dir,
        splits={("toy", "iid", 0): picture.with_suffix(".csv")},
        prepared_dir=prepared,
        configuration={"arms": ["<fedavg>"], "num_clients": 3},
    )
    return results, results_dir, Page((results_dir / "report.html").read_text())


def test_page_loads_nothing_from_outside(built):
    _, _, page = built
    assert page.images
    outside = [src for src in page.sources if not src.startswith(("data:image/", "#"))]
    assert outside == []
    source = (built[1] / "report.html").read_text()
    assert not re.search(r"url\(|@import|fetch\(|https?://", source)


def pixels(content):
    with Image.open(io.BytesIO(content)) as picture:
        return picture.convert("RGB").tobytes()


def test_every_picture_has_words_and_is_the_file(built):
    _, folder, page = built
    assert all(re.fullmatch(r"toy[,:] .*\w.*\.", image["alt"]) for image in page.images)
    embedded = [base64.b64decode(image["src"].split(",")[1]) for image in page.images]
    drawn = set((folder / "figures").glob("*.png"))
    curves = {path for path in drawn if path.stem.startswith("convergence_")}
    rows = {folder / "figures/evidence_toy.png"}
    embedded.remove(b"\x89PNG split picture")
    pictures = {pixels(path.read_bytes()) for path in drawn - curves - rows}
    assert set(map(pixels, embedded)) == pictures
    # The page draws curves itself, and names their files where no script runs; rows are its own.
    source = (folder / "report.html").read_text()
    assert curves
    assert all(f"figures/{path.stem}.svg" in source for path in curves)


def test_page_says_what_is_missing_diverged_synthetic_and_best(built):
    text = built[2].text
    assert "toy: This dataset is synthetic: no claim about real data follows." in text
    assert "30 runs, 28 completed, 1 diverged, 1 missing" in text
    assert "loss is not finite" in text
    assert "Toy <images>" in text  # escaped in the source
    assert "better than every other arm" in text
    assert "72.0 ± 2.0" in text
    assert "66.3 to 77.7" in text
    assert "families of claims" in text


def test_page_shows_what_is_sure_of_each_arm_as_text_and_lines(built):
    _, folder, page = built
    assert (folder / "figures/evidence_toy.svg").exists()
    assert "fedbn †, for everyone: 50.0 (" in page.text
    assert "cannot be told from the best mean" in page.text
    assert "Point at a mark for its numbers." in page.text


def test_page_counts_in_words_that_fit_the_number(tmp_path, fake):
    cells = fake.grid(["a-name-with-hyphens"], ["iid"], ["fedavg", "fedprox"], [0])
    fake.write_run(tmp_path, cells[0], [0.3, 0.5])
    build_report(cells, tmp_path)
    text = Page((tmp_path / "report.html").read_text()).text
    assert "2 arms × 1 partition × 1 seed: 2 runs, 1 completed" in text
    assert "This report is partial: 1 of 2 runs is missing." in text
    assert "holds up on a-name-with-hyphens, at what cost" in text


def test_page_shows_configuration_and_provenance(built):
    text = built[2].text
    assert "0123456789abcdef" in text
    assert "2.13.0" in text
    assert "a" * 64 in text
    assert "1" * 64 in text
    assert "num_clients: 3" in text
    assert "mu = 0.25" in text


def test_runs_on_different_data_are_pointed_out(cells, results_dir):
    path = results_dir / "runs/toy/iid/fedavg/seed1/metrics.json"
    path.write_text(path.read_text().replace("1" * 64, "9" * 64))
    page = results_dir / "report.html"
    results = GridResults(read_grid_runs(cells, results_dir))
    write_report(results, page, figures=[], splits={}, prepared_dir=None, configuration={})
    assert "(runs of different inputs)" in Page(page.read_text()).text


def test_runs_of_edited_sources_are_pointed_out(cells, results_dir):
    page = results_dir / "report.html"

    def text():
        results = GridResults(read_grid_runs(cells, results_dir))
        write_report(results, page, figures=[], splits={}, prepared_dir=None, configuration={})
        return Page(page.read_text()).text

    assert "engine 1 (30 runs), algorithm fedavg 1 (30 runs), model cnn 1 (30 runs)" in text()
    assert "edited sources" not in text()
    path = results_dir / "runs/toy/iid/fedavg/seed1/metrics.json"
    record = json.loads(path.read_text())
    record["provenance"]["results_versions"] = None
    path.write_text(json.dumps(record))
    assert "1 of 30 runs come from edited sources" in text()


def test_a_run_that_went_on_elsewhere_is_told_in_words(cells, results_dir):
    """Thirty runs: one in two stretches on two computers, one in two on one, one in one."""
    page = results_dir / "report.html"
    here = {"device": "cpu", "torch": "2.13.0", "threads": 1}
    there = {"device": "NVIDIA H100", "torch": "2.13.0", "threads": 2}
    for seed, stretches in ((0, [here, there]), (1, [here, here]), (2, [here])):
        path = results_dir / f"runs/toy/iid/fedavg/seed{seed}/metrics.json"
        record = json.loads(path.read_text())
        record["provenance"]["stretches"] = stretches
        path.write_text(json.dumps(record))
    results = GridResults(read_grid_runs(cells, results_dir))
    write_report(results, page, figures=[], splits={}, prepared_dir=None, configuration={})
    text = Page(page.read_text()).text
    both = "cpu, torch 2.13.0, 1 thread; then NVIDIA H100, torch 2.13.0, 2 threads"
    assert f"2 stretches: {both} (1 run)" in text
    assert "2 stretches: cpu, torch 2.13.0, 1 thread (1 run)" in text
    assert "1 stretch: cpu, torch 2.13.0, 1 thread (1 run)" in text


def test_what_a_table_alone_says_stands_below_it_once(cells, results_dir):
    path = results_dir / "runs/toy/iid/fedavg/seed0/metrics.json"
    record = json.loads(path.read_text())
    record["communication"]["rounds_to_target"] = 2
    path.write_text(json.dumps(record))
    page = results_dir / "report.html"
    results = GridResults(read_grid_runs(cells, results_dir))
    write_report(results, page, figures=[], splits={}, prepared_dir=None, configuration={})
    text = Page(page.read_text()).text
    assert text.count("Target: 70.0 % in accuracy on validation samples") == 1
    assert text.count("Own patients: the test samples of each client") == 2  # on top, main table


def test_headline_names_the_report_once_it_is_there(built):
    results, folder, _ = built
    assert str(folder / "report.html") in headline(results, folder)
