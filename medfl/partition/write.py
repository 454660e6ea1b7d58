"""Writes a split: its table, its heterogeneity record and its picture, all three or none."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medfl.config import SplitConfig, deciding
from medfl.disclosure.cells import NONE
from medfl.disclosure.split import published
from medfl.errors import MedflError
from medfl.files import OWN_HASH, atomic_path, own_hash, sha256_file
from medfl.partition.given import check_ours
from medfl.partition.heterogeneity import heterogeneity
from medfl.partition.place import check_place, sidecar
from medfl.partition.scheme import parse_partition
from medfl.partition.small_cells import MINIMUM_CELL, small_cells
from medfl.partition.split import Split, make_split

if TYPE_CHECKING:
    from medfl.store import Store


def write_split(
    store: Store,
    partition: str,
    num_clients: int | None,
    seed: int,
    output: str | os.PathLike[str],
    *,
    minimum_cell: int = NONE,
    **options: Any,
) -> Split:
    """Make a split and write ``<output>.csv``, its ``.heterogeneity.json`` and its ``.png``.

    Args:
        store: the prepared dataset.
        partition: the scheme's word.
        num_clients: as in ``make_split``.
        seed: as in ``make_split``.
        output: the table, for example ``…/dirichlet-0.5/seed0.csv``.
        minimum_cell: the smallest count that its record and its picture publish.
        **options: further arguments of ``make_split``.

    Returns:
        The split.

    Raises:
        MedflError: where the request cannot be met, there is no space, a split lies there that
            medfl has not made, or it is the place of one that is dealt in another way; nothing is
            written then.
    """
    from medfl.partition.picture import draw_split

    output = Path(output)
    if output.suffix != ".csv" or output.is_dir():
        raise MedflError(f"`{output}` must name the split's table, a file that ends in .csv.")
    check_ours(output)
    chosen = parse_partition(partition)
    split = make_split(store, partition, num_clients, seed, **options)  # it checks the options, too
    folds = SplitConfig(
        **{name: options[name] for name in SplitConfig.model_fields if name in options}
    )
    check_place(output, chosen.word, seed, None if chosen.natural else num_clients, folds)
    record = heterogeneity(split, store) | {"dealt": deciding(folds)}
    hidden = small_cells(split, store, minimum_cell)
    if hidden:
        record = published(record, hidden) | {MINIMUM_CELL: minimum_cell}
    # The contexts close from the last to the first: all three files are complete before any is
    # renamed, and the table comes last, so that whoever finds it finds the others too.
    with (
        atomic_path(output) as table,
        atomic_path(sidecar(output)) as measured,
        atomic_path(output.with_suffix(".png")) as picture,
    ):
        split.write(table)
        record["split_sha256"] = sha256_file(table)
        record[OWN_HASH] = own_hash(record)
        text = json.dumps(record, indent=2, allow_nan=False, ensure_ascii=False)
        measured.write_text(text + "\n", encoding="utf-8")
        draw_split(record, picture)
    return split
