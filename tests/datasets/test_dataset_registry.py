import sys
from pathlib import Path

import numpy as np
import pytest

from medfl.datasets.prepare import prepare
from medfl.datasets.registry import DATASETS, get, parse_dataset
from medfl.errors import MedflError
from medfl.grid import load_grid
from medfl.store import Store

ROOT = Path(__file__).parents[2]
OWN = """
import numpy as np
from medfl import CustomMedicalDataset

class Lungs(CustomMedicalDataset):
    size = 16

    def load_data(self):
        for number in range(6):
            image = np.full((16, 16), 40 * number, np.uint8)
            yield {"image": image, "label": "ab"[number % 2], "patient": number}

class Phantom(Lungs):
    pass

class Needs(Lungs):
    def __init__(self, ward):
        self.ward = ward
"""


@pytest.fixture
def own_class(tmp_path, monkeypatch):
    (tmp_path / "my_data.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    yield
    sys.modules.pop("my_data", None)


@pytest.mark.parametrize("name", DATASETS.available())
def test_every_dataset_is_one_entry_with_its_tests_and_its_page(name):
    assert get(name).name == name
    module = DATASETS.sources(name).modules[0].rsplit(".", 1)[-1]
    assert list((ROOT / "tests").rglob(f"test_{module}.py"))
    pages = {path.stem for path in (ROOT / "docs/datasets").glob("*.md")}
    assert module in pages or module.startswith("phantom")


@pytest.mark.usefixtures("own_class")
def test_a_grid_names_it():
    grid = load_grid(
        {
            "arms_file": None,
            "arm_settings": {"fedavg": {"algorithm": "fedavg"}},
            "datasets": ["my_data:Lungs-24"],
            "partitions": ["iid"],
            "arms": ["fedavg"],
            "seeds": [0],
        }
    )
    assert grid.datasets == ["my_data.Lungs-24"]
    assert ":" not in str(grid.split_path(grid.cells()[0]))


@pytest.mark.usefixtures("own_class")
def test_a_class_of_ones_own_is_a_dataset_by_its_name():
    spec = parse_dataset("my_data:Lungs-24")
    assert (spec.word, spec.dataset.name, spec.size) == ("my_data.Lungs-24", "lungs", 24)
    assert parse_dataset("my_data.Lungs").size == 16
    store = Store.open(prepare("my_data:Lungs"))
    assert store.path == Path("data/prepared/my_data.Lungs")
    np.testing.assert_array_equal(np.unique(store.images[:, 0, 0, 0]), np.arange(6) * 40)
    for word, message in (
        ("my_data:Lung", "the dataset `my_data:Lung` cannot be loaded: AttributeError"),
        ("my_data:Phantom", "there is a dataset `phantom` already"),
        ("my_data:Needs", "making `Needs` failed: TypeError.*ward"),
        ("my_data:np", "is not a subclass of medfl.CustomMedicalDataset"),
    ):
        with pytest.raises(MedflError, match=message):
            parse_dataset(word)


def test_words():
    assert parse_dataset("ham10000").size == 64
    spec = parse_dataset("ham10000-96")
    assert (spec.word, spec.dataset.name, spec.size) == ("ham10000-96", "ham10000", 96)
    assert parse_dataset("pneumoniamnist").size == 28
    assert parse_dataset("pneumoniamnist-64").size == 64
    assert parse_dataset("phantom").dataset.synthetic


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("ham1000", "unknown dataset `ham1000`; did you mean `ham10000`"),
        ("phantm-64", "did you mean `phantom`"),
        ("covid-ct", "did you mean `covidct`"),
        ("covid-ct-96", "did you mean `covidct`"),
        ("isic-2019", "did you mean `isic2019`"),
        ("ChestX-ray14", "did you mean `chestxray14`"),
        ("Brain-Tumor-MRI", "did you mean `braintumor`"),
        ("Fed_ISIC2019", "did you mean `fed-isic2019`"),
        ("", "unknown dataset"),
        ("pneumoniamnist-32", "published at 28, 64, 128, 224 pixels, not at 32"),
        ("ham10000-4", "from 8 to 2048 pixels"),
        ("ham10000-99999", "from 8 to 2048 pixels"),
        ("ham10000-0", "from 8 to 2048 pixels, not 0"),
        ("ham10000--8", "from 8 to 2048 pixels, not -8"),
        ("ham10000-064", "unknown dataset `ham10000-064`"),
        ("ham10000-\N{ARABIC-INDIC DIGIT EIGHT}", "unknown dataset"),
        ("../ham10000", "unknown dataset"),
    ],
)
def test_unknown_words(word, message):
    with pytest.raises(MedflError, match=message):
        parse_dataset(word)
