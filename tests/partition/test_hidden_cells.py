"""The record beside a split of people's own data counts no few people."""

from __future__ import annotations

import json

from federations import small_store

from medfl.files import is_whole
from medfl.partition.write import write_split
from medfl.store import Sample, write_store


def test_the_record_beside_a_split_has_no_small_cell(tmp_path):
    memory = small_store(386, classes=2, size=8)
    samples = [
        Sample(f"s{i}", (memory.info.classes[k],), f"g{i}") for i, k in enumerate(memory.labels)
    ]
    store = write_store(tmp_path / "store", memory.info, samples, memory.images)
    path = tmp_path / "twelve" / "seed0.csv"
    write_split(store, "iid", 12, 0, path, min_val=1, min_test=1, minimum_cell=10)
    record = json.loads(path.with_suffix(".heterogeneity.json").read_text())
    counts = [one[fold] for one in record["clients"] for fold in ("train", "val", "test")]
    assert None in counts
    assert all(count is None or count == 0 or count >= 10 for count in counts)
    assert record["minimum_cell"] == 10
    assert is_whole(record)
    assert path.with_suffix(".png").stat().st_size > 1000
