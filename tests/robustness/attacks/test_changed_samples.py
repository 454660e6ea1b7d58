"""What becomes of samples of every kind: of several labels, of 16 bits, of volumes."""

from __future__ import annotations

import pytest
import torch

from medfl.robustness.attacks.backdoor import Backdoor
from medfl.robustness.attacks.samples import InvertedImages, LabelFlip, MislabelledSite, pixel_range

BOTH = torch.tensor([True, False])
ROWS = torch.tensor([4, 9])


def test_several_labels():
    """Each label becomes its opposite, or that of the class before it."""
    labels = torch.tensor([[1.0, 0.0, 0.0], [1.0, 0.0, 1.0]])
    images = torch.zeros(2, 1, 2, 2, dtype=torch.uint8)
    link = LabelFlip()
    link.classes = 3
    assert link.changed(images, labels.clone(), BOTH, ROWS)[1].tolist() == [[0, 1, 1], [1, 0, 1]]
    link = MislabelledSite(shift=2)
    link.classes = 3
    assert link.changed(images, labels.clone(), BOTH, ROWS)[1].tolist() == [[0, 0, 1], [1, 0, 1]]


def test_of_8_bits_the_whole_range_is_inverted_and_of_16_each_images_own():
    narrow = torch.tensor([10, 20, 30, 40], dtype=torch.uint8).view(1, 1, 2, 2).repeat(2, 1, 1, 1)
    link, labels = InvertedImages(), torch.zeros(2, dtype=torch.int64)
    found = link.changed(narrow.clone(), labels, BOTH, ROWS)[0]
    assert found.view(2, 4).tolist() == [[245, 235, 225, 215], [10, 20, 30, 40]]
    wide = torch.tensor([-1000, 0, 30000, 32767, 1, 2, 3, 4], dtype=torch.int16).view(2, 1, 2, 2)
    found = link.changed(wide.clone(), labels, torch.tensor([True, True]), ROWS)[0]
    assert found.view(2, 4).tolist() == [[32767, 31767, 1767, -1000], [4, 3, 2, 1]]


def test_every_slice_of_a_volume_bears_the_square():
    """In channels of 16 bits it is as bright as the brightest voxel of its volume."""
    volume = torch.arange(2 * 3 * 5 * 5, dtype=torch.int16).view(2, 1, 3, 5, 5)
    link = Backdoor(size=2)
    link._row, link._column, link.target, link.classes = 1, 2, 1, 2
    marked = link.marked(volume)
    assert (marked[0, ..., 1:3, 2:4] == 74).all()
    assert (marked[1, ..., 1:3, 2:4] == 149).all()
    elsewhere = torch.ones(5, 5, dtype=torch.bool)
    elsewhere[1:3, 2:4] = False
    assert torch.equal(marked[..., elsewhere], volume[..., elsewhere])
    labels = torch.tensor([[1.0, 0.0], [1.0, 1.0]])
    images, labels = link.changed(volume.clone(), labels, BOTH, ROWS)
    assert labels.tolist() == [[0, 1], [1, 1]]
    assert torch.equal(images[0], marked[0])
    assert torch.equal(images[1], volume[1])


def test_success_counts_images_of_other_classes_alone():
    """Of classes 0, 1, 2 and 1 with target 1 two are left, of which one is taken for it."""
    link = Backdoor()
    link.target = 1
    said = torch.eye(3)[[1, 1, 0, 2]].numpy()
    labels = torch.tensor([0, 1, 2, 1]).numpy()
    assert link.judge(labels, lambda change: said) == {"backdoor_success": 0.5}
    several = torch.tensor([[0, 0], [0, 1], [1, 0], [1, 0]]).numpy()
    answers = torch.tensor([[0.9, 0.6], [0.0, 0.9], [0.1, 0.4], [0.0, 0.51]]).numpy()
    assert link.judge(several, lambda change: answers) == {"backdoor_success": pytest.approx(2 / 3)}
    assert link.judge(labels[[1, 3]], lambda change: said[[1, 3]]) == {"backdoor_success": None}


def test_the_range_of_pixels():
    low, high = pixel_range(torch.tensor([[[[3, 7]]]], dtype=torch.uint8))
    assert (low.item(), high.item()) == (0, 255)
    low, high = pixel_range(torch.tensor([[[[-3, 7]]]], dtype=torch.int16))
    assert (low.item(), high.item()) == (-3, 7)
