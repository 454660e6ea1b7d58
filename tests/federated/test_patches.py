import pytest
import torch

from medfl.federated.patches import patch_grid, random_patch, sliding_window


def numbered(batch, *sides):
    """Every voxel says its place: 100·z + 10·y + x."""
    z, y, x = torch.meshgrid(*[torch.arange(float(n)) for n in sides], indexing="ij")
    return (100 * z + 10 * y + x).expand(batch, 1, *sides).clone()


def test_random_patches_are_pieces_of_their_own_image():
    images = numbered(50, 6, 7, 9)
    images += 1000 * torch.arange(50.0).view(-1, 1, 1, 1, 1)
    patches = random_patch(images, (4, 7, 5), torch.Generator().manual_seed(0))
    assert patches.shape == (50, 1, 4, 7, 5)
    corners = patches[:, 0, 0, 0, 0]
    assert torch.equal(corners // 1000, torch.arange(50.0))
    assert torch.equal(patches - corners.view(-1, 1, 1, 1, 1), numbered(50, 4, 7, 5))
    places = {int(c) % 1000 for c in corners}
    assert places == {100 * z + x for z in range(3) for x in range(5)}  # all 15, and no others


def test_the_generator_decides():
    images = numbered(8, 6, 6, 6)
    one, two, three = (
        random_patch(images, (3, 3, 3), torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)
    )
    assert torch.equal(one, two)
    assert not torch.equal(one, three)


def test_the_grid_by_hand():
    assert patch_grid((8,), (8,)) == [(0,)]
    assert patch_grid((12,), (8,)) == [(0,), (4,)]
    assert patch_grid((13,), (8,)) == [(0,), (2,), (5,)]  # 5 in steps of at most 4: 0, 2.5, 5
    assert patch_grid((16,), (8,), overlap=0) == [(0,), (8,)]
    assert patch_grid((8, 12), (8, 8)) == [(0, 0), (0, 4)]


@pytest.mark.parametrize("sides", [(16, 21, 8), (9, 40, 33)])
def test_the_grid_covers_everything_from_edge_to_edge(sides):
    seen = torch.zeros(sides)
    for z, y, x in patch_grid(sides, (8, 8, 8)):
        piece = seen[z : z + 8, y : y + 8, x : x + 8]
        assert piece.shape == (8, 8, 8)
        piece += 1
    assert seen.min() >= 1


def test_the_sliding_window_is_the_mean_over_the_patches():
    """A network that answers with the mean of its patch: three patches along x, by hand."""
    images = numbered(2, 8, 8, 13)
    answer = sliding_window(lambda x: x.mean((1, 2, 3, 4)).view(-1, 1), images, (8, 8, 8))
    # Middle of a patch: z = y = 3.5, x = 3.5 from its start; starts 0, 2 and 5 have the mean 7/3.
    assert answer.flatten().tolist() == pytest.approx([350 + 35 + 3.5 + 7 / 3] * 2)
