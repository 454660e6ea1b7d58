"""What selective encryption leaves open is read from the bytes, and gives images away."""

from __future__ import annotations

import pytest
import torch
from attack_federations import attacked, federate_small

from medfl.privacy.attacks.cases import LINEAR, PROTECTED, Case
from medfl.privacy.attacks.linear_layer import invert_linear


def encrypted(network="mlp", algorithm="fedavg", **choice):
    return federate_small({"ckks": {"bound": 1.0, **choice}}, network, 1, algorithm=algorithm)


def test_an_image_from_some_entries_by_hand():
    """x = (2, −1), δ = (3, −.5). Seen: of unit 1 pixel 1 and the bias, of unit 2 both pixels.

    Unit 1 says x₁ = 6/3; so δ₂ = −1/2, and x₂ = .5/−.5.
    """
    weight, bias = torch.tensor([[6.0, 0.0], [-1.0, 0.5]]), torch.tensor([3.0, 0.0])
    known = torch.tensor([[True, False], [True, True]]), torch.tensor([True, False])
    (found,) = invert_linear(weight, bias, known).tolist()
    assert found == pytest.approx([2.0, -1.0], rel=1e-12)


def test_a_pixel_that_no_unit_shows_is_grey():
    weight, bias = torch.tensor([[6.0, 0.0]]), torch.tensor([3.0])
    known = torch.tensor([[True, False]]), torch.tensor([True])
    assert invert_linear(weight, bias, known).tolist() == [[2.0, 0.0]]


@pytest.mark.parametrize(
    "choice", [{"share": 0.4}, {"layers": ["*.bias"]}, {"layers": ["*weight"]}]
)
@pytest.mark.parametrize("algorithm", ["fedavg", "scaffold"])
def test_the_open_entries_are_the_plain_update_times_one_number(choice, algorithm):
    small = encrypted(algorithm=algorithm, **choice)
    seen, model = small.federation.seen, small.federation.server.model
    plain = federate_small({}, "mlp", 1, algorithm=algorithm).federation.seen
    assert seen.models == {}
    assert sorted(seen.open) == [0, 1, 2]
    for client, part in seen.open.items():
        update, _ = plain.update(client)
        if "layers" in choice:
            word = choice["layers"][0][-4:]
            names = [name for name, _ in model.module.named_parameters()]
            due = torch.zeros_like(part.known)
            for name, view in zip(names, model.views(due), strict=True):
                view.fill_(not name.endswith(word))
            assert torch.equal(part.known, due)
        else:
            assert int((~part.known).sum()) == round(0.4 * len(update))
        assert not part.update[~part.known].any()
        here, there = part.update[part.known].double(), update[part.known].double()
        factor = float(here @ there / (there @ there))
        assert factor > 1000
        assert (here - factor * there).abs().max() <= 1.01  # rounded to whole numbers


def test_nothing_is_open_where_all_is_encrypted():
    seen = encrypted().federation.seen
    assert (seen.open, seen.models, seen.statistics) == ({}, {}, {})
    assert attacked(encrypted(), Case(LINEAR, "ckks", 1, "mlp")).seen == "sum"
    assert encrypted(layers=["*"]).federation.seen.open == {}


def test_an_open_tenth_of_a_linear_layer_shows_the_image():
    inverted = attacked(encrypted(share=0.9), Case(LINEAR, "ckks", 1, "mlp"))
    assert inverted.seen == "open part"
    assert inverted.images[0].psnr > 20


def test_the_search_compares_open_entries_alone():
    """Whatever stands where an entry is encrypted, the search goes the same way."""
    small = encrypted("logistic", layers=["*.bias"])
    case = Case(PROTECTED, "ckks", 1, "logistic")
    inverted = attacked(small, case)
    assert inverted.seen == "open part"
    changed = small.federation.seen.open[0]
    changed.update[~changed.known] = 1e6  # nobody may look at them
    again = attacked(small, case)
    assert again.objective == inverted.objective
