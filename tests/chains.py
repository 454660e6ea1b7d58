"""Every link and rule of medfl as a chain, and federations that run with one."""

from __future__ import annotations

import torch
from federations import ALGORITHMS, AT_CLIENTS, Grouped, federation, models

FEDERATED = sorted(set(ALGORITHMS) - {"local", "centralized"})
# Every link and rule of the registry, except the sum, which other federations of the tests use.
LINKS = {
    "clip": {"links": {"clip": {"norm": 0.05}}},
    "quantize": {"links": {"quantize": {"bits": 8}}},
    "secure_aggregation": {
        "links": {
            "secure_aggregation": {
                "bounds": {"a": 100.0, "h": 100.0},
                "ring_bits": 64,
                "weight_unit": 1e-5,
            }
        }
    },
    "ckks": {
        "links": {
            "ckks": {
                "bounds": {"a": 100.0, "h": 100.0},
                "degree": 8192,
                "modulus_bits": [60, 60, 60],
                "weight_unit": 1e-4,
                "weight_bits": 19,
            }
        }
    },
    "median": {"rule": "median"},
    "trimmed_mean": {"rule": "trimmed_mean", "rule_params": {"withstands": 1}},
    "krum": {"rule": "krum"},
    "multi_krum": {"rule": "multi_krum", "rule_params": {"selected": 2}},
    "bulyan": {"rule": "bulyan", "rule_params": {"pre_aggregation": "nnm"}},
    "geometric_median": {"rule": "geometric_median"},
    "centred_clipping": {"rule": "centred_clipping", "rule_params": {"start": "median"}},
    "fltrust": {"rule": "fltrust", "rule_params": {"root_patients": 4}},
    "norm_bounding": {"rule": "norm_bounding", "rule_params": {"pre_aggregation": "bucketing"}},
    **{
        word: {"links": {word: params}, "attackers": 1}
        for word, params in {
            "label_flip": {},
            "random_labels": {"share": 0.9},
            "mislabelled_site": {},
            "inverted_images": {},
            "backdoor": {"target": 2},
            "sign_flip": {},
            "gaussian": {},
            "stops": {"last": 1},
            "alie": {"z": 1.5},
            "ipm": {},
            "min_max": {},
            "min_sum": {"direction": "unit"},
            "mimic": {},
            "adaptive_alie": {"tries": 3},
            "adaptive_ipm": {"tries": 3},
        }.items()
    },
    "dp_image": {"links": {"dp_image": {"noise_multiplier": 1.0}}},
    "dp_patient": {"links": {"dp_patient": {"noise_multiplier": 1.0}}},
    "dp_hospital": {
        "links": {
            "dp_hospital": {"noise_multiplier": 1.0, "max_grad_norm": 0.1, "max_noise_ratio": 99}
        }
    },
}
# Attacks and rules under which clients have another training loss, or take other steps.
OTHER_WORK = ("label_flip", "random_labels", "mislabelled_site", "inverted_images", "backdoor")
OTHER_WORK += ("stops", "fltrust")
# What a chain needs of its federation, and the words with which it refuses an algorithm.
_PRIVATE = {"model": Grouped, "local_steps": 3}
NEEDS = {
    "dp_image": _PRIVATE,
    "dp_patient": _PRIVATE,
    "dp_hospital": {**_PRIVATE, "weighting": "uniform"},
}
_NORMS = "set layers: normalization"
_PASSES = dict.fromkeys(("scaffold-1", "fedala"), "a gradient of all samples")
_COUNTS = dict.fromkeys(("fedlc", "fedrod"), "how many others of its class")
_LOSSES = dict.fromkeys(("qfedavg", "feddgga"), "measures each client's loss")
_REFUSED = {**_PASSES, **_COUNTS, **_LOSSES, "fedbn": _NORMS, "silobn": _NORMS}
_HIDDEN = dict.fromkeys(("feddgga", "fedlws"), "looks at each client's message by itself")
_LENGTHS = {"fedexp": "takes its step from the lengths of the updates"}
_STATEFUL = ("scaffold", "scaffold-1", "feddyn", "moon", "ditto", "fedbn")
_STATEFUL += AT_CLIENTS
REFUSED = {
    **{
        word: {"feddgga": "weighs each client's model by its gap"}
        for word, chain in LINKS.items()
        if "rule" in chain
    },
    "clip": _LENGTHS,
    "secure_aggregation": _HIDDEN,
    "ckks": _HIDDEN,
    "dp_hospital": {**_LENGTHS, **_HIDDEN},
    "dp_image": _REFUSED,
    "dp_patient": _REFUSED,
    "fltrust": {
        **dict.fromkeys(_STATEFUL, "keeps something with each client"),
        "feddgga": "weighs each client's model by its gap",
    },
}


def composing(chain):
    """The federated algorithms that a chain goes with."""
    return [name for name in FEDERATED if name not in REFUSED.get(chain, ())]


def build(name, chain=None, **settings):
    return federation(name.split("-")[0], ALGORITHMS[name], chain=chain or {}, **settings)


def runs_alike(one, other, atol=0.0):
    for a, b in zip(models(one), models(other), strict=True):
        assert torch.allclose(a, b, rtol=0, atol=atol)
    assert torch.allclose(one.server.buffers, other.server.buffers, rtol=0, atol=atol)
