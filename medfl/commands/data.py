"""The commands about data: `datasets`, `prepare`, `inspect`, `original` and `split`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from medfl.store import Store

CLIENTS_FIELD = "federated_learning.num_clients"


def datasets(options: argparse.Namespace) -> None:
    """List the datasets, and what of them is on this disk."""
    from medfl.config import data_root
    from medfl.datasets.base import Places
    from medfl.datasets.overview import as_json, as_table, overview

    places = Places(data_root(options.data_root), Path(options.work_root))
    entries = overview(places)
    print(as_json(entries) if options.json else as_table(entries, places))


def datasets_options(parser: argparse.ArgumentParser) -> None:
    """Options of `medfl datasets`."""
    from medfl.commands import options

    parser.add_argument("--json", action="store_true", help="all that is known, for programs")
    options.places(parser)


def prepare(options: argparse.Namespace) -> None:
    """Read a dataset's raw files into a store."""
    from medfl.datasets.prepare import prepare
    from medfl.store import Store

    store = Store.open(
        prepare(
            options.dataset,
            options.data_root,
            options.work_root,
            options.force,
            options.allow_partial,
            options.output_dir,
            options.size,
        )
    )
    shape = "×".join(map(str, store.images.shape[1:]))
    print(f"{store.path}: {len(store)} images of {shape}, {len(store.info.classes)} classes")
    print(_classes(store))


def _classes(store: Store) -> str:
    """Name the classes with their counts, and say how to change those that were guessed."""
    from medfl.card.measure import classes
    from medfl.files import read_json
    from medfl.store import PREPARATION

    counts = [(one.name, one.count) for one in classes(store)]
    if store.labels.ndim == 2 and (none := int((store.labels.sum(axis=1) == 0).sum())):
        counts.append(("(none of them)", none))
    line = "classes: " + ", ".join(f"{name} {number:,}" for name, number in counts)
    record = read_json(store.path / PREPARATION)
    settings = record.get("settings")
    guessed = settings.get("labels") if isinstance(settings, dict) else None
    more = f"\n(these are the {guessed}: `labels: {{level: …}}` in the description names others)"
    return line + (more if guessed else "")


def prepare_options(parser: argparse.ArgumentParser) -> None:
    """Options of `medfl prepare`."""
    from medfl.commands import options
    from medfl.commands.words import whole_number

    parser.add_argument("dataset", help="phantom, ham10000 … or <name>-<pixels>, or a YAML file")
    parser.add_argument("--size", type=whole_number, help="side of the square images, in pixels")
    parser.add_argument("--force", action="store_true", help="make it again if it is there")
    options.output_dir(parser, "the store's folder; else <work-root>/prepared/<name>")
    options.partial(parser)
    options.places(parser)


def inspect(options: argparse.Namespace) -> None:
    """Measure a dataset and write its card."""
    from medfl.card import build

    folder = build.inspect(
        options.dataset,
        options.data_root,
        options.work_root,
        options.output_dir,
        sample=options.sample,
        seed=options.seed,
        allow_partial=options.allow_partial,
        minimum=options.minimum_cell,
    )
    print(f"{folder / 'card.html'}: open it in a browser; card.png is one page of it")


def inspect_options(parser: argparse.ArgumentParser) -> None:
    """Options of `medfl inspect`."""
    from medfl.commands import options
    from medfl.commands.words import whole_number

    parser.add_argument("dataset", help="as for prepare, or a store's folder; prepared if need be")
    options.output_dir(parser, "else <work-root>/cards/<name>")
    parser.add_argument(
        "--sample", type=whole_number, default=8, help="pictures of each class and site"
    )
    parser.add_argument("--seed", type=whole_number, default=0, help="which pictures are drawn")
    options.setting(parser, "report.minimum_cell")
    options.partial(parser)
    options.places(parser)


def original(options: argparse.Namespace) -> None:
    """Show which file a hidden name means."""
    from medfl.datasets.original import originals
    from medfl.identity import show_originals

    show_originals(
        lambda: originals(options.dataset, options.name, options.data_root, options.work_root)
    )


def original_options(parser: argparse.ArgumentParser) -> None:
    """Options of `medfl original`."""
    from medfl.commands import options

    parser.add_argument("dataset", help="your own, as for prepare")
    parser.add_argument("name", help="f-…, a path with such parts, s…-… or p…-…")
    options.places(parser)


def split(options: argparse.Namespace) -> None:
    """Deal a store's samples to clients and folds."""
    from medfl.commands.options import field_at
    from medfl.config import SplitConfig
    from medfl.datasets.place import entry_of, store_path
    from medfl.disclosure.cells import in_words
    from medfl.disclosure.published_sets import minimum_cell
    from medfl.partition import parse_partition
    from medfl.partition.site import DividedSites
    from medfl.partition.write import write_split
    from medfl.store import Store

    clients = options.num_clients
    chosen = parse_partition(options.partition)
    if clients is None and not (chosen.natural or isinstance(chosen, DividedSites)):
        clients = field_at(CLIENTS_FIELD)[1]
    cell = minimum_cell(options.dataset, options.minimum_cell)
    split = write_split(
        Store.open(store_path(options.dataset, options.work_root)),
        options.partition,
        clients,
        options.seed,
        options.output,
        minimum_cell=cell,
        **{field: getattr(options, field) for field in SplitConfig.model_fields},
        dataset=entry_of(options.dataset),
    )
    for line in split.divided.warnings():
        print(f"medfl: warning: {line}", file=sys.stderr)
    count = f"{split.num_clients} client" + ("" if split.num_clients == 1 else "s")
    print(f"{options.output}: {len(split.samples)} samples, {count}")
    for fold, least in (("val", options.min_val), ("test", options.min_test)):
        few = split.below(fold, least)
        if few:
            some = ", ".join(
                f"{client} ({in_words(n, cell)})" for client, n in list(few.items())[:10]
            )
            print(
                f"medfl: {len(few)} of {split.num_clients} clients have fewer than {least} {fold} "
                f"samples, as whole patients do not allow more: {some}"
                f"{' …' if len(few) > 10 else ''}",
                file=sys.stderr,
            )


def split_options(parser: argparse.ArgumentParser) -> None:
    """Options of `medfl split`."""
    from medfl.commands import options
    from medfl.commands.words import file, whole_number
    from medfl.config import SplitConfig

    parser.add_argument("dataset")
    parser.add_argument(
        "--partition", required=True, help="iid, dirichlet-0.5, pathological-2, site …"
    )
    options.setting(parser, "seed", help="same seed, same split")
    # The default depends on the partition, so `split` takes it, not the parser.
    usual = options.field_at(CLIENTS_FIELD)[1]
    parser.add_argument(
        "--num-clients",
        type=whole_number,
        help=f"{usual} where left out; of `site` one per site, of `site-dirichlet-…` two per site",
    )
    for field in SplitConfig.model_fields:
        options.setting(parser, f"split.{field}")
    options.setting(parser, "report.minimum_cell")
    parser.add_argument("--output", type=file, required=True, help="the CSV file to write")
    options.work_root(parser)
