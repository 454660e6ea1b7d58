"""Images that show the same picture, and pictures that merely look alike to a hash."""

from __future__ import annotations

import imagehash
import numpy as np
import pytest
from PIL import Image

from medfl.imaging.duplicates import _fingerprint, find_duplicates
from medfl.imaging.images import read_image
from medfl.imaging.lookalikes import Likeness, near_pairs

FEW_BITS = Likeness(bits=6, correlation=0.9)


def picture(seed, size=96):
    """Smooth random blobs: a picture with structure, as slices have."""
    rng = np.random.default_rng(seed)
    small = Image.fromarray(rng.integers(0, 256, (6, 6), dtype=np.uint8))
    return small.resize((size, size), Image.Resampling.BICUBIC)


@pytest.fixture
def folder(tmp_path):
    one, two = picture(1), picture(2)
    one.save(tmp_path / "0.png")
    one.convert("RGB").save(tmp_path / "1.png")  # the same grey pixels in another file
    one.save(tmp_path / "2.jpg", quality=60)
    one.resize((64, 64)).save(tmp_path / "3.png")
    two.save(tmp_path / "4.png")
    (tmp_path / "5.png").write_bytes(b"broken")
    two.point(lambda value: value * 0.8).save(tmp_path / "6.png")
    (tmp_path / "7.png").write_bytes(b"")
    return sorted(tmp_path.iterdir())


def test_groups_by_hand(folder):
    found = find_duplicates(folder, FEW_BITS)
    assert found.groups.tolist() == [0, 0, 0, 0, 4, 5, 4, 7]
    assert (found.exact, found.near) == (1, 3)


def test_the_hash_is_imagehashs(folder):
    hashed = [_fingerprint(folder[k])[1] for k in (0, 3, 4)]
    with Image.open(folder[0]) as a, Image.open(folder[3]) as b, Image.open(folder[4]) as c:
        assert hashed == [int(str(imagehash.phash(picture)), 16) for picture in (a, b, c)]
    assert hashed[0] != hashed[2]


def test_nothing_repeats(tmp_path):
    for seed in range(12):
        picture(seed).save(tmp_path / f"{seed:02d}.png")
    found = find_duplicates(sorted(tmp_path.iterdir()), FEW_BITS)
    assert found.groups.tolist() == list(range(12))
    assert (found.exact, found.near) == (0, 0)


def pairs(hashes, thumbs, same=None, likeness=FEW_BITS):
    found = near_pairs(hashes, thumbs, same, likeness)
    assert found.complete
    return list(zip(found.first.tolist(), found.second.tolist(), strict=True))


def test_pairs_need_both_a_near_hash_and_like_pixels():
    rng = np.random.default_rng(0)
    base = rng.normal(0, 50, 4096)
    thumbs = np.stack([base, 2 * base + 9, rng.normal(0, 50, 4096), base, np.full(4096, 7.0)])
    hashes = np.array([0, 0b111111, 0, 0b1111111, 0], np.uint64)
    # 1 differs in 6 bits and is the same picture brighter; 2 is another; 3 differs in 7 bits from
    # 0, but in 1 from 1; 4 is one tone.
    assert sorted(pairs(hashes, thumbs)) == [(0, 1), (1, 3)]
    assert sorted(pairs(hashes, thumbs, likeness=Likeness(7, 0.9))) == [(0, 1), (0, 3), (1, 3)]
    same = np.array([[0, 1], [2, 2], [3, 3], [0, 1], [4, 4]])  # 0 and 3 are one picture
    assert sorted(pairs(hashes, thumbs, same, Likeness(7, 0.9))) == [(0, 1), (1, 3)]


def test_the_correlation_is_pearsons():
    rng = np.random.default_rng(1)
    thumbs = rng.normal(100, 30, (2, 64))
    thumbs[1] += 2 * thumbs[0]
    expected = np.corrcoef(thumbs)[0, 1]
    hashes = np.zeros(2, np.uint64)
    found = near_pairs(hashes, thumbs, likeness=Likeness(0, expected - 1e-5))
    assert found.correlation == pytest.approx([expected], abs=1e-6)
    assert pairs(hashes, thumbs, likeness=Likeness(0, expected + 1e-5)) == []


def test_many_images_are_compared_in_seconds():
    rng = np.random.default_rng(0)
    hashes = rng.integers(0, 2**63, 7000, dtype=np.uint64)
    thumbs = rng.normal(0, 50, size=(7000, 64)).astype(np.float32)
    hashes[6999], thumbs[6999] = hashes[3], thumbs[3]
    assert pairs(hashes, thumbs) == [(3, 6999)]


def test_real_testing_folder(real_data):
    """Exact copies by an independent count; within a group, pictures are alike."""
    files = sorted((real_data / "brain-tumor-mri").rglob("*.jpg"))
    found = find_duplicates(files, FEW_BITS)
    pixels = [np.asarray(Image.open(file).convert("L")) for file in files]
    assert found.exact == len(files) - len({(array.shape, array.tobytes()) for array in pixels})
    small = np.stack([read_image(file, 32, channels=1, fit="stretch").ravel() for file in files])
    for row, first in enumerate(found.groups):
        if row != first:
            others = np.flatnonzero(found.groups == first)
            best = max(
                np.corrcoef(small[row], small[other])[0, 1] for other in others if other != row
            )
            assert best > 0.85
