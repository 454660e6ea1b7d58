"""Links and rules by name. Importing this imports no torch."""

from __future__ import annotations

from medfl.chain.combine import Rule
from medfl.chain.link import Link
from medfl.registry import Registry

LINKS = Registry[type[Link]](
    "link",
    package="medfl",
    base="medfl.chain:Link",
    names={
        "clip": "privacy.clip:NormClipping",
        "secure_aggregation": "privacy.secure_aggregation.link:SecureAggregation",
        "ckks": "privacy.encryption.link:HomomorphicEncryption",
        "dp_image": "privacy.dp_sgd.units:ImagePrivacy",
        "dp_patient": "privacy.dp_sgd.units:PatientPrivacy",
        "dp_hospital": "privacy.hospital.link:HospitalPrivacy",
        "label_flip": "robustness.attacks.samples:LabelFlip",
        "random_labels": "robustness.attacks.samples:RandomLabels",
        "mislabelled_site": "robustness.attacks.samples:MislabelledSite",
        "inverted_images": "robustness.attacks.samples:InvertedImages",
        "backdoor": "robustness.attacks.backdoor:Backdoor",
        "sign_flip": "robustness.attacks.messages:SignFlip",
        "gaussian": "robustness.attacks.messages:GaussianAttack",
        "stops": "robustness.attacks.messages:Stops",
        "alie": "robustness.attacks.knowing:ALittleIsEnough",
        "ipm": "robustness.attacks.knowing:InnerProduct",
        "min_max": "robustness.attacks.min_max:MinMax",
        "min_sum": "robustness.attacks.min_max:MinSum",
        "mimic": "robustness.attacks.mimic:Mimic",
        "adaptive_alie": "robustness.attacks.adaptive:AdaptiveALIE",
        "adaptive_ipm": "robustness.attacks.adaptive:AdaptiveIPM",
        "quantize": "compression.quantize:StochasticQuantization",
    },
    results_versions={"ckks": 2, "quantize": 2, "secure_aggregation": 3},
)
RULES = Registry[type[Rule]](
    "rule",
    package="medfl",
    base="medfl.chain:Rule",
    names={
        "sum": "chain.combine:Sum",
        "median": "robustness.median:CoordinateMedian",
        "trimmed_mean": "robustness.median:TrimmedMean",
        "krum": "robustness.krum:Krum",
        "multi_krum": "robustness.krum:MultiKrum",
        "bulyan": "robustness.bulyan:Bulyan",
        "geometric_median": "robustness.geometric_median:GeometricMedian",
        "centred_clipping": "robustness.clipping:CentredClipping",
        "fltrust": "robustness.fltrust:FLTrust",
        "norm_bounding": "robustness.clipping:NormBounding",
    },
    results_versions={"bulyan": 2},
)
