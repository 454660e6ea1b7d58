import nibabel
import numpy as np
import pytest
from PIL import Image

from medfl.imaging.source_size import source_size
from medfl.store import DatasetInfo, Sample
from medfl.store.build import build_store
from medfl.store.raw import RawData


@pytest.mark.parametrize("ending", ["png", "jpg", "tif", "gif"])
def test_of_images(tmp_path, ending):
    path = tmp_path / f"a.{ending}"
    Image.new("L", (30, 20)).save(path)  # Pillow's order: width, height
    assert source_size(path) == "20x30"


def test_of_volumes(tmp_path):
    path = tmp_path / "a.nii.gz"
    nibabel.save(nibabel.Nifti1Image(np.zeros((4, 5, 6), np.int16), np.eye(4)), path)
    assert source_size(path) == "4x5x6"


def test_of_what_has_none(tmp_path):
    broken = tmp_path / "a.png"
    broken.write_bytes(b"x")
    assert [source_size(source) for source in (3, broken, tmp_path / "b.dcm", (3, 4))] == [""] * 4


def test_a_store_keeps_them(tmp_path):
    files = [tmp_path / f"{k}.png" for k in range(2)]
    for file, size in zip(files, [(30, 20), (8, 9)], strict=True):
        Image.new("L", size).save(file)
    samples = [Sample(file.stem, ("a",), file.stem, attributes={"age": "5"}) for file in files]
    info = DatasetInfo("toy", "Toy", ("a", "b"), "multiclass", "XC", True, "", "")
    raw = RawData(samples, files, lambda _: np.zeros((1, 8, 8), np.uint8), "")
    store = build_store(tmp_path / "toy", info, raw, "key")
    assert store.attributes["source_size"].tolist() == ["20x30", "9x8"]
    assert store.attributes["age"].tolist() == ["5", "5"]
