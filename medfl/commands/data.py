"""`datasets`, `prepare`, `inspect`, `original` and `split`: from raw files to who holds what."""

from __future__ import annotations

import argparse
from pathlib import Path


def datasets(options: argparse.Namespace) -> None:
    """List the datasets, and what of them is on this disk."""
    from medfl.config import data_root
    from medfl.datasets.base import Places
    from medfl.datasets.overview import as_json, as_table, overview

    places = Places(data_root(options.data_root), Path(options.work_root))
    entries = overview(places)
    print(as_json(entries) if options.json else as_table(entries, places))


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
    )
    print(f"{folder / 'card.html'}: open it in a browser; card.png is one page of it")


def original(options: argparse.Namespace) -> None:
    """Show which file a hidden name means."""
    from medfl.datasets.original import originals
    from medfl.identity import show_originals

    show_originals(
        lambda: originals(options.dataset, options.name, options.data_root, options.work_root)
    )


def split(options: argparse.Namespace) -> None:
    """Deal a store's samples to clients and folds."""
    from medfl.datasets.prepare import entry_of, store_path
    from medfl.partition.write import write_split
    from medfl.store import Store

    split = write_split(
        Store.open(store_path(options.dataset, options.work_root)),
        options.partition,
        options.num_clients,
        options.seed,
        options.output,
        min_samples=options.min_samples,
        val_fraction=options.val_fraction,
        test_fraction=options.test_fraction,
        official_folds=options.official_folds,
        dataset=entry_of(options.dataset),
    )
    print(f"{options.output}: {len(split.samples)} samples, {split.num_clients} clients")
