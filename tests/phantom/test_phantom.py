from dataclasses import replace

import numpy as np
import pytest
from pydicom import dcmread

from medfl.datasets.catalog.phantom import PHANTOM
from medfl.errors import MedflError
from medfl.phantom.anatomy import line_integral
from medfl.phantom.patient import CLASSES, draw_patient
from medfl.phantom.projection import Projector, rotation
from medfl.phantom.scanner import SCANNERS, expose, store_values
from medfl.phantom.writer import NOTICE, ChestRecipe, simulate_patient, write_phantom
from medfl.store import Sample, write_store

AXIS = np.linspace(-4, 4, 81)  # a ray every millimetre; number 40 goes through the origin


def chords_by_sampling(inside):
    """Length of each ray inside a solid, by brute force along z."""
    z = np.arange(-6, 6, 0.01)
    x, y, z = np.meshgrid(AXIS[::10], AXIS[::10], z, indexing="xy")
    return inside(np.stack([x, y, z], axis=-1)).sum(axis=-1) * 0.01


def test_chords_of_a_sphere():
    rays = Projector(AXIS, AXIS, np.eye(3))
    length = rays.ellipsoid((1, 0, 5), (2, 2, 2)).length
    expected = 2 * np.sqrt(np.maximum(4 - (AXIS[None] - 1) ** 2 - AXIS[:, None] ** 2, 0))
    np.testing.assert_allclose(length, expected, atol=2e-3)


def test_a_turned_ellipsoid_cut_by_a_slab_and_another():
    pose, turn = rotation(0.3, -0.2, 0.1), rotation(0.5, 0.2, -0.7)
    centre, radii, normal = (0.5, -0.3, 0.4), (3.0, 1.5, 2.0), np.array([0.2, 1.0, -0.5])
    rays = Projector(AXIS[::10], AXIS[::10], pose)
    solid = rays.ellipsoid(centre, radii, turn) & rays.slab((0, 0.2, 0.1), normal, 1.2)
    solid = solid & rays.ellipsoid((0, 0, 0), (2, 2, 2))

    def inside(points):
        patient = points @ pose  # the inverse of a rotation is its transpose
        local = (patient - centre) @ turn
        height = (patient - (0, 0.2, 0.1)) @ (normal / np.linalg.norm(normal))
        within = ((local / radii) ** 2).sum(-1) < 1
        return within & (np.abs(height) < 0.6) & ((patient**2).sum(-1) < 4)

    expected = chords_by_sampling(inside)
    assert expected.max() > 1
    np.testing.assert_allclose(solid.length, expected, atol=0.03)


def test_the_length_in_two_solids_is_that_of_their_intersection():
    rays = Projector(AXIS, AXIS, np.eye(3))
    one, other = rays.ellipsoid((0, 0, 0), (2, 2, 2)), rays.slab((0, 0, 2), (0, 0, 1), 2)
    length = one.length_in(other)
    assert length[40, 40] == pytest.approx(1, abs=1e-5)  # from z = 1 to the sphere's top
    assert length[0, 0] == 0
    np.testing.assert_array_equal(length, (one & other).length)


def test_a_patch_is_the_same_rays():
    rays = Projector(AXIS, AXIS, rotation(0.1, 0.2, 0.3))
    where, near = rays.patch((1, 1, 1), 1.5)
    whole = rays.ellipsoid((1, 1, 1), (1, 0.5, 1.4)).length
    np.testing.assert_array_equal(near.ellipsoid((1, 1, 1), (1, 0.5, 1.4)).length, whole[where])
    assert whole[where].sum() == pytest.approx(whole.sum())  # nothing lies outside the patch


def difference(finding, severity=0.8, seed=5):
    """What a finding adds to the line integrals of an otherwise identical patient."""
    axis = np.linspace(-16, 16, 80)
    rays = Projector(axis, axis, np.eye(3))
    patient = draw_patient(np.random.default_rng(seed), finding)
    healthy = replace(patient, finding="normal")
    change = line_integral(patient, rays, 0, severity) - line_integral(healthy, rays, 0, severity)
    return change, patient, rays


@pytest.mark.parametrize("finding", CLASSES)
def test_findings_do_what_they_are_named_for(finding):
    for seed in range(8):
        change, patient, rays = difference(finding, seed=seed)
        own = (rays.x * patient.side > 0.0) & np.ones_like(change, bool)
        if finding == "normal":
            assert not change.any()
            continue
        assert np.abs(change[~own]).max() < 0.15  # the other lung is left alone
        sign = -1 if finding == "pneumothorax" else 1
        assert (sign * change).max() > 0.15
        if finding == "effusion":
            rows = np.clip(change, 0, None).sum(axis=1)
            assert (rows * rays.y[:, 0]).sum() / rows.sum() > 3  # fluid lies at the base
        if finding == "pneumothorax":
            assert change.sum() < 0


def test_beer_lambert_without_noise_and_scatter():
    scanner = replace(SCANNERS[0], scatter=0, blur=1e-6, electronic=0, quanta=1e12)
    flat = np.full((160, 160), 1.7)
    signal = expose(flat, scanner, 1.0, np.random.default_rng(0))
    assert signal.shape == scanner.matrix
    assert signal[36].mean() == pytest.approx(np.exp(-1.7), rel=0.01)  # the middle of the heel


def test_noise_falls_with_exposure_as_poisson_predicts():
    scanner = replace(SCANNERS[0], scatter=0, electronic=0)
    signal = expose(np.full((160, 160), 1.0), scanner, 4.0, np.random.default_rng(0))
    middle = signal[34:38]
    expected = 1 / np.sqrt(scanner.quanta * 4 * np.exp(-1))
    assert middle.std() / middle.mean() == pytest.approx(expected, rel=0.12)


@pytest.mark.parametrize("scanner", SCANNERS, ids=lambda scanner: scanner.site)
def test_stored_values_use_the_bits_and_keep_the_order(scanner):
    signal = np.exp(-np.linspace(0, 4, scanner.matrix[0] * scanner.matrix[1]))
    stored, _, _, width = store_values(signal.reshape(scanner.matrix), scanner)
    low = -(2 ** (scanner.bits - 1)) if scanner.signed else 0
    assert low <= stored.min() < stored.max() < low + 2**scanner.bits
    assert int(stored.max()) - int(stored.min()) > 0.7 * 2**scanner.bits
    assert width > 1
    steps = np.diff(stored.ravel().astype(int))
    assert (steps <= 0).all() if scanner.photometric == "MONOCHROME1" else (steps >= 0).all()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("phantom") / "raw"
    write_phantom(path, ChestRecipe(patients=25, seed=7))
    return path


def test_the_folder_is_dicom_that_says_it_is_synthetic(folder):
    seen = set()
    for file in folder.glob("images/*/*.dcm"):
        header = dcmread(file)
        assert header.ImageComments == NOTICE
        assert "Synthetic" in header.Manufacturer
        assert header.PatientID == file.parent.name
        seen.add((header.StationName, header.PhotometricInterpretation, header.BitsStored))
    assert len({site for site, *_ in seen}) == len(SCANNERS)
    assert {kind for _, kind, _ in seen} == {"MONOCHROME1", "MONOCHROME2"}
    assert {bits for *_, bits in seen} == {12, 14, 16}
    assert "SYNTHETIC" in (folder / "README.txt").read_text()


def test_the_same_seed_gives_the_same_bytes(folder, tmp_path):
    for name, _, header in simulate_patient(7, 3):
        header.save_as(tmp_path / "again.dcm", enforce_file_format=True)
        assert (tmp_path / "again.dcm").read_bytes() == (folder / "images" / name).read_bytes()
    ours = next(simulate_patient(7, 3))[2].PixelData
    assert next(simulate_patient(8, 3))[2].PixelData != ours


def test_read_back_through_the_dicom_path(folder):
    raw = PHANTOM.read_folder(folder, 32)
    images = np.stack(list(raw.images))
    assert images.shape == (len(raw.samples), 1, 32, 32)
    assert len({sample.group for sample in raw.samples}) == 25
    assert {sample.site for sample in raw.samples} == {scanner.site for scanner in SCANNERS}
    # Whatever the scanner stores, dense tissue is bright: the spine against the lungs.
    for site in sorted({sample.site for sample in raw.samples}):
        mean = images[[sample.site == site for sample in raw.samples]].mean(axis=0)[0]
        assert mean[8:16, 15:17].mean() > mean[8:16, [9, 10, 22, 23]].mean() + 20, site


def test_a_label_outside_the_classes(folder, tmp_path):
    import shutil

    shutil.copytree(folder, tmp_path / "copy")
    table = tmp_path / "copy" / "labels.csv"
    table.write_text(table.read_text().replace(",normal", ",healthy"))
    with pytest.raises(MedflError, match=r"the label `healthy`, which is not one of normal, mass"):
        PHANTOM.read_folder(tmp_path / "copy", 32)


@pytest.mark.slow
def test_a_small_cnn_learns_what_a_linear_model_cannot(tmp_path):
    """Balanced accuracy on unseen patients: high for a small CNN, much lower for a linear model."""
    import torch
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import balanced_accuracy_score
    from torch import nn

    write_phantom(tmp_path / "raw")
    raw = PHANTOM.read_folder(tmp_path / "raw", PHANTOM.default_size)
    store = write_store(tmp_path / "store", PHANTOM.info(raw), raw.samples, raw.images)
    assert store.info.synthetic
    assert isinstance(raw.samples[0], Sample)
    x = (np.asarray(store.images, np.float32) / 255 - store.info.mean[0]) / store.info.std[0]
    patients = np.unique(store.groups)
    np.random.default_rng(0).shuffle(patients)
    test = np.isin(store.groups, patients[: len(patients) // 5])
    y = store.labels

    def score(predicted):
        return balanced_accuracy_score(y[test], predicted)

    flat = x.reshape(len(x), -1)
    linear = max(
        score(
            LogisticRegression(C=c, max_iter=300, class_weight="balanced")
            .fit(flat[~test], y[~test])
            .predict(flat[test])
        )
        for c in (0.1, 1, 10)
    )
    torch.manual_seed(0)
    layers, width = [], 1
    for out in (16, 32, 64):
        layers += [nn.Conv2d(width, out, 3, padding=1), nn.BatchNorm2d(out), nn.ReLU()]
        layers += [nn.MaxPool2d(2)]
        width = out
    net = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(256, 5))
    images, labels = torch.tensor(x[~test]), torch.tensor(y[~test])
    epochs, batch = 40, 32
    steps = epochs * -(-len(images) // batch)
    optimizer = torch.optim.Adam(net.parameters(), weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 5e-3, total_steps=steps)
    for _ in range(epochs):
        for index in torch.randperm(len(images)).split(batch):
            chosen = images[index].flip(3) if torch.rand(()) < 0.5 else images[index]
            optimizer.zero_grad()
            nn.functional.cross_entropy(net(chosen), labels[index]).backward()
            optimizer.step()
            schedule.step()
    net.eval()
    with torch.no_grad():
        deep = score(net(torch.tensor(x[test])).argmax(1).numpy())
    print(f"balanced accuracy: CNN {deep:.3f}, linear {linear:.3f}")
    assert 0.85 < deep < 0.98
    assert linear < deep - 0.15
