"""Make a dataset's card: ``card.html``, ``card.png``, ``card.json`` and pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from medfl.card import plots
from medfl.card.content import content
from medfl.card.findings import card_findings
from medfl.card.leaks import find_pairs
from medfl.card.page import PAIRS, CardFigure, write_page
from medfl.card.scan import scan
from medfl.card.sheet import NO_LABEL, class_sheet, side_by_side, site_sheet
from medfl.card.small_cells import Unpublished, card_to_publish, hidden_names, without_numbers
from medfl.config import WORK_ROOT
from medfl.datasets.place import PathLike, store_path
from medfl.datasets.prepare import prepare
from medfl.disclosure.cells import NONE
from medfl.disclosure.published_sets import minimum_cell
from medfl.errors import MedflError
from medfl.files import write_json
from medfl.pages.figures import save
from medfl.store import DATASET, Store

MAX_SAMPLE = 50


def inspect(
    dataset: str,
    data_root: PathLike | None = None,
    work_root: PathLike = WORK_ROOT,
    output_dir: PathLike | None = None,
    *,
    sample: int = 8,
    seed: int = 0,
    allow_partial: bool = False,
    minimum: int | None = None,
) -> Path:
    """Measure a dataset, prepared first if need be, and write its card.

    Args:
        dataset: its word, or the folder of a store.
        data_root: where raw data lies, as for ``prepare``.
        work_root: holds ``prepared/`` and gets ``cards/``.
        output_dir: the card's folder; else ``<work_root>/cards/<dataset>``.
        sample: how many pictures of each class and site are on the sheets.
        seed: chooses which they are.
        allow_partial: passed on to ``prepare``.
        minimum: the smallest count that the card shows; None: 10 of people's own data, all of
            published sets.

    Returns:
        The folder of the card.
    """
    if not 1 <= sample <= MAX_SAMPLE:
        raise MedflError(f"--sample must be from 1 to {MAX_SAMPLE} pictures, not {sample}.")
    if seed < 0:
        raise MedflError(f"--seed must not be negative, but is {seed}.")
    if output_dir == "":
        raise MedflError("--output-dir is empty: name the card's folder, or leave it out.")
    path = store_path(dataset, work_root)
    if not (path / DATASET).is_file():
        path = prepare(dataset, data_root, work_root, allow_partial=allow_partial)
    store = Store.open(path)
    if output_dir is not None:
        folder = Path(output_dir)
    else:
        folder = Path(work_root, "cards", store.path.resolve().name)
    write_card(store, folder, sample, seed, minimum_cell(store.info.name, minimum))
    return folder


def write_card(
    store: Store, folder: Path, sample: int = 8, seed: int = 0, minimum: int = NONE
) -> dict[str, Any]:
    """Measure an open store and write its card into ``folder``; give what ``card.json`` holds."""
    pixels = scan(store)
    pairs = find_pairs(pixels)
    card = content(store, pixels, pairs)
    if minimum > 1:
        card = card_to_publish(card, minimum)
    few_of = {name: hidden_names(card[name]) for name in ("classes", "sites")}
    if isinstance((card["labels"] or {}).get("empty"), Unpublished):
        few_of["classes"].add(NO_LABEL)
    card["settings"] = {"sample": sample, "seed": seed}
    card["findings"] = card_findings(card)
    by_class = class_sheet(store, pixels.ends, sample, seed, few_of["classes"])
    by_site = site_sheet(store, pixels.ends, sample, seed, few_of["sites"])
    card["samples"] = {
        title: {
            name: [str(one) for one in store.ids[rows]]
            for name, rows in zip(sheet.names, sheet.rows, strict=True)
        }
        for title, sheet in (("by_class", by_class), ("by_site", by_site))
        if sheet is not None
    }
    folder.mkdir(parents=True, exist_ok=True)
    figures: list[tuple[str, Figure | None, str]] = [
        (
            "samples_by_class",
            plots.draw_sheet(by_class, "Samples of each class") if by_class else None,
            f"Samples of each class, drawn at random (seed {seed}); the number is how many images "
            f"the class has.{_cut(by_class.left_out, 'classes') if by_class else ''}",
        ),
        (
            "samples_by_site",
            plots.draw_sheet(by_site, "Samples of each site") if by_site else None,
            f"Samples of each site, drawn at random (seed {seed})."
            f"{_cut(by_site.left_out, 'sites') if by_site else ''}",
        ),
        (
            "counts",
            plots.draw_counts(card),
            "Images of each class, and by class and site (or official fold; colour: share "
            "of the site's or fold's images). The numbers stand in "
            "the tables below.",
        ),
        (
            "intensities",
            plots.draw_intensities(card, pixels),
            "Share of pixels by stored value, for each site (left) and each class (right), the "
            f"{plots.MAX_LINES} largest of each. Sites that differ here differ in their pictures.",
        ),
        (
            "attributes",
            plots.draw_attributes(card),
            "Images a group, and each further column of the data; the numbers stand in the tables.",
        ),
        (
            "labels_together",
            plots.draw_together(card),
            "How many images carry both labels; colour: share of the row's images.",
        ),
        ("card", plots.draw_card(card, pixels, by_class), "The card on one page."),
    ]
    pictures = {}
    for name, figure, caption in figures:
        if figure is None:
            (folder / f"{name}.png").unlink(missing_ok=True)  # an earlier card may have left one
        else:
            pictures[name] = CardFigure(save(figure, folder / name, (".png",)), caption)
    shown = [
        side_by_side(store, pixels.ends, [image["row"] for image in pair["images"]])
        for pair in card["duplicates"]["pairs"][:PAIRS]
    ]
    told: dict[str, Any] = without_numbers(card)
    write_json(folder / "card.json", told)
    write_page(card, pictures, shown, folder / "card.html")
    return told


def _cut(left_out: int, what: str) -> str:
    return f" {left_out:,} smaller {what} are not shown." if left_out else ""
