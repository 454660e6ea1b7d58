import pytest

from medfl.datasets.registry import parse_dataset
from medfl.errors import MedflError


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
