import numpy as np

from medfl.card.sizes import Sizes, source_sizes
from medfl.store import DatasetInfo, Sample, write_store


def test_sizes_by_site(tmp_path):
    rows = [("n", "600x450"), ("n", "600x450"), ("n", "300x900"), ("s", "20x64x32"), ("s", "")]
    samples = [
        Sample(f"s{k}", ("a",), f"g{k}", site, attributes={"source_size": size})
        for k, (site, size) in enumerate(rows)
    ]
    info = DatasetInfo("toy", "Toy", ("a", "b"), "multiclass", "XC", True, "", "")
    store = write_store(tmp_path / "toy", info, samples, np.zeros((5, 1, 8, 8), np.uint8))
    assert source_sizes(store) == {
        # Shorter sides 450, 450, 300, 32: the median is 375.
        "": Sizes(4, 3, "600x450", 0.5, 32, 375.0, 900),
        "n": Sizes(3, 2, "600x450", 2 / 3, 300, 450.0, 900),
        "s": Sizes(1, 1, "20x64x32", 1.0, 32, 32.0, 64),
    }
