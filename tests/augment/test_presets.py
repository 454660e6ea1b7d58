"""What a preset may do to a patient, and what a configuration may say."""

from __future__ import annotations

from dataclasses import fields
from types import SimpleNamespace

import pytest
import torch

from medfl.augment import PRESETS, Recipe, chosen_preset, make_augmenter, recipe_for
from medfl.augment.presets import OF_DATASET, SWITCHES
from medfl.config import Augmentation, FederatedConfig, validate
from medfl.datasets.registry import DATASETS, parse_dataset
from medfl.errors import MedflError
from medfl.federated.fingerprint import fingerprint
from medfl.imaging.codes import CODES

FLAT, VOLUME = (10, 1, 32, 32), (10, 1, 16, 16, 16)


def info(modality="DX"):
    return SimpleNamespace(name="test", modality=modality, classes=("a", "b"))


def augmenter(preset, shape=FLAT, seed=0, modality="DX", **settings):
    generator = torch.Generator().manual_seed(seed)
    return make_augmenter(Augmentation(preset=preset, **settings), info(modality), shape, generator)


def sided(size, count):
    """A heart on the right of the picture, in its middle height, and a darker body."""
    picture = torch.full((count, 3, size, size), 0.3)
    picture[..., size * 3 // 8 : size * 5 // 8, size * 5 // 8 : size * 7 // 8] = 0.9
    return picture


def side_of_heart(pictures):
    """The heart's centroid: −1 to 1 from left to right, for each picture."""
    light = (pictures.mean(1) - 0.6).clamp(min=0)
    place = torch.linspace(-1, 1, pictures.shape[-1])
    return (light.sum(1) * place).sum(1) / light.sum((1, 2)).clamp(min=1e-6)


@pytest.mark.parametrize("preset", ["xray", "ct"])
@pytest.mark.parametrize("strength", ["medium", "strong"])
def test_the_heart_stays_on_its_side(preset, strength):
    augment = augmenter(preset, strength=strength)
    for _ in range(40):
        pictures = augment.images(sided(32, 32), augment.draw(32))
        assert float(side_of_heart(pictures).min()) > 0.05


@pytest.mark.parametrize("preset", ["mri", "ultrasound", "photo"])
def test_where_sides_may_change_half_of_them_do(preset):
    augment = augmenter(preset)
    sides = torch.cat(
        [side_of_heart(augment.images(sided(32, 50), augment.draw(50))) for _ in range(20)]
    )
    # 1,000 fair coins: three deviations are 0.047
    assert float((sides < 0).float().mean()) == pytest.approx(0.5, abs=0.05)


def test_up_stays_up_but_for_lesions_and_tissue():
    for name, recipe in PRESETS.items():
        free = name in ("dermatoscopy", "histology")
        assert (recipe.flip_vertical > 0) is free
        assert (recipe.rotation == 180) is free
        assert recipe.rotation <= 15 or free
        assert recipe.flip_depth == 0, "no preset puts the head below the feet"


def test_volumes_of_ct_are_never_mirrored():
    volume = torch.zeros(40, 1, 16, 16, 16)
    volume[:, :, 2:6, 2:6, 10:14] = 0.9  # low, in front, on the right
    augment = augmenter("ct", VOLUME)
    for _ in range(5):
        found = augment.images(volume.clone(), augment.draw(40))[:, 0].clamp(min=0)
        place = torch.linspace(-1, 1, 16)
        for axis, sign in ((1, -1), (2, -1), (3, 1)):
            others = [k for k in (1, 2, 3) if k != axis]
            centre = (found.sum(others) * place).sum(1) / found.sum((1, 2, 3))
            assert float((centre * sign).min()) > 0


@pytest.mark.parametrize("preset", sorted(PRESETS))
@pytest.mark.parametrize("shape", [(6, 3, 20, 24), (6, 1, 20, 24), (4, 1, 12, 14, 16)])
def test_results_are_pixels_and_samples_differ(preset, shape):
    # Two that are only mirrored would rightly be the same.
    augment = augmenter(preset, shape, flip_horizontal=0.0, flip_vertical=0.0)
    one = torch.rand(1, *shape[1:], generator=torch.Generator().manual_seed(2))
    batch = one.expand(shape).clone()
    found = torch.cat([augment.images(batch.clone(), augment.draw(len(batch))) for _ in range(3)])
    assert found.shape[1:] == shape[1:]
    assert float(found.min()) >= 0
    assert float(found.max()) <= 1
    changed = [picture for picture in found if not torch.equal(picture, one[0])]
    assert len(changed) >= 0.6 * len(found)
    for k, picture in enumerate(changed):
        assert all(not torch.equal(picture, other) for other in changed[k + 1 :])


@pytest.mark.parametrize("preset", sorted(PRESETS))
def test_the_same_stream_gives_the_same_bits(preset):
    batch = torch.rand(8, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    one, two = augmenter(preset, batch.shape, 7), augmenter(preset, batch.shape, 7)
    other = augmenter(preset, batch.shape, 8)
    for _ in range(3):
        torch.rand(3)  # PyTorch's own generator plays no part
        first, second = (a.images(batch.clone(), a.draw(8)) for a in (one, two))
        assert torch.equal(first, second)
        assert not torch.equal(first, other.images(batch.clone(), other.draw(8)))


def test_one_transforms_numbers_do_not_move_anothers():
    """Without noise and bending, the third batch is turned and shaded just as with them."""
    batch = torch.rand(8, 1, 16, 16, generator=torch.Generator().manual_seed(1))
    quiet = {"noise_probability": 0.0, "elastic_probability": 0.0, "blur_probability": 0.0}
    loud = {"noise_probability": 0.5, "elastic_probability": 0.5, "noise": 1e-5, "elastic": 1e-7}
    one = augmenter("xray", batch.shape, **quiet)
    two = augmenter("xray", batch.shape, **{**quiet, **loud})
    for _ in range(3):
        first, second = (a.images(batch.clone(), a.draw(8)) for a in (one, two))
    assert torch.allclose(first, second, atol=2e-3)
    assert not torch.equal(first, second)


def test_nothing_at_all_is_exactly_nothing():
    batch = torch.rand(8, 3, 16, 16)
    off = dict.fromkeys(SWITCHES, 0.0)
    augment = augmenter("photo", batch.shape, flip_horizontal=0.0, **off)
    assert torch.equal(augment.images(batch.clone(), augment.draw(8)), batch)


def test_strength_scales_limits_only():
    recipes = {
        strength: recipe_for(Augmentation(preset="mri", strength=strength), info(), FLAT)
        for strength in ("light", "medium", "strong")
    }
    assert recipes["medium"] == PRESETS["mri"]
    assert recipes["light"].rotation == 6
    assert recipes["strong"].rotation == 18
    assert recipes["strong"].low_resolution == pytest.approx(2.2)  # 1 + 1.5 × 0.8
    for switch in SWITCHES:
        assert recipes["light"].__dict__[switch] == recipes["strong"].__dict__[switch]
    tissue = recipe_for(Augmentation(preset="histology", strength="light"), info(), (1, 3, 8, 8))
    assert tissue.rotation == 180


def test_a_number_given_is_meant_as_it_stands():
    settings = Augmentation(preset="xray", strength="light", rotation=3, flip_horizontal=0.5)
    recipe = recipe_for(settings, info(), FLAT)
    assert (recipe.rotation, recipe.flip_horizontal) == (3, 0.5)
    assert recipe.scale == PRESETS["xray"].scale / 2


def test_every_number_of_a_recipe_is_a_key_of_the_section():
    keys = set(Augmentation.model_fields) - {"preset", "strength"}
    assert {field.name for field in fields(Recipe)} == keys
    limits = {limit for group in SWITCHES.values() for limit in group}
    assert keys == {
        *SWITCHES, *limits, "flip_horizontal", "flip_vertical", "flip_depth", "padding",
        "noise_kind", "mixup", "cutmix",
    }  # fmt: skip


def test_presets_keep_the_limits_of_the_section():
    for name, recipe in PRESETS.items():
        strong = recipe_for(Augmentation(preset=name, strength="strong"), info(), (1, 3, 8, 8))
        for numbers in (recipe, strong):
            Augmentation(preset=name, **vars(numbers))


@pytest.mark.parametrize(
    ("dataset", "preset"),
    [
        ("phantom", "xray"),
        ("ham10000", "dermatoscopy"),
        ("isic2019", "dermatoscopy"),
        ("fed-isic2019", "dermatoscopy"),
        ("dermamnist", "dermatoscopy"),
        ("pneumoniamnist", "xray"),
        ("organamnist", "ct"),
        ("breastmnist", "ultrasound"),
        ("octmnist", "ultrasound"),
        ("pathmnist", "histology"),
        ("retinamnist", "photo"),
    ],
)
def test_auto_knows_the_catalog(dataset, preset):
    entry = parse_dataset(dataset).dataset
    named = SimpleNamespace(name=entry.name, modality=entry.modality)
    assert chosen_preset(Augmentation(preset="auto"), named) == preset


def test_a_photograph_is_augmented_as_one_and_a_dermatoscopic_image_as_one():
    assert chosen_preset(Augmentation(preset="auto"), info("XC")) == "photo"
    assert chosen_preset(Augmentation(preset="auto"), info(" dms ")) == "dermatoscopy"


def test_every_preset_has_a_modality():
    assert {meaning.augmentation for meaning in CODES.values()} == set(PRESETS)
    assert set(OF_DATASET.values()) <= set(PRESETS)
    assert set(OF_DATASET) <= set(DATASETS)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"preset": "x-ray"}, ["augmentation.preset", "'xray'", "x-ray"]),
        ({"preset": "ct", "rotatoin": 3}, ["rotatoin", "did you mean `rotation`"]),
        ({"preset": "ct", "rotation": 270}, ["augmentation.rotation", "180"]),
        ({"preset": "ct", "noise_probability": 1.5}, ["noise_probability", "1"]),
        ({"preset": "ct", "flip_horizontal": True}, ["flip_horizontal", "number"]),
        ({"preset": "ct", "strength": "max"}, ["augmentation.strength", "'light'"]),
        ({"preset": "ct", "padding": "wrap"}, ["augmentation.padding", "'border'"]),
        ({"mixup": -1}, ["augmentation.mixup", "-1"]),
        ({"rotation": 10}, ["rotation changes a preset", "preset: auto"]),
    ],
)
def test_a_mistake_in_the_section_is_explained(content, words):
    with pytest.raises(MedflError) as caught:
        validate(FederatedConfig, {"augmentation": content}, "run.yaml")
    assert all(word in str(caught.value) for word in words), caught.value


@pytest.mark.parametrize(
    ("settings", "modality", "shape", "words"),
    [
        ({"preset": "auto"}, "OT", FLAT, ["modality `OT`", "xray"]),
        ({"preset": "ct", "cutout": 0.3}, "CT", FLAT, ["cutout does nothing", "cutout_probab"]),
        ({"preset": "ct", "cutout_probability": 0.3}, "CT", FLAT, ["cutout_probability does"]),
        ({"preset": "ct", "stain": 0.1, "stain_probability": 1}, "CT", FLAT, ["3 channels"]),
        ({"preset": "mri", "flip_depth": 0.5}, "MR", FLAT, ["flip_depth is for volumes"]),
    ],
)
def test_what_the_data_cannot_take_is_explained(settings, modality, shape, words):
    with pytest.raises(MedflError) as caught:
        recipe_for(Augmentation(**settings), info(modality), shape)
    assert all(word in str(caught.value) for word in words), caught.value


def test_none_is_none():
    assert recipe_for(Augmentation(), info(), FLAT) is None
    assert recipe_for(Augmentation(mixup=0.2), info(), FLAT) == Recipe(mixup=0.2)
    assert fingerprint(FederatedConfig()) != fingerprint(FederatedConfig(mixup=0.2))
