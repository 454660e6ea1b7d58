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
        "norm_bounding": "robustness.clipping:NormBounding",
    },
)
