"""The algorithms by name. Importing this imports no torch."""

from __future__ import annotations

from medfl.algorithms.base import FederatedAlgorithm
from medfl.registry import Registry

ALGORITHMS: Registry[type[FederatedAlgorithm]] = Registry(
    "algorithm",
    package="medfl.algorithms",
    base="medfl:FederatedAlgorithm",
    names={
        "fedavg": "fedavg:FedAvg",
        "fedprox": "fedprox:FedProx",
        "fednova": "fednova:FedNova",
        "scaffold": "scaffold:Scaffold",
        "fedbn": "fedbn:FedBN",
        "fedavgm": "server_optimizers:FedAvgM",
        "fedadam": "server_optimizers:FedAdam",
        "fedyogi": "server_optimizers:FedYogi",
        "fedadagrad": "server_optimizers:FedAdagrad",
        "fedexp": "fedexp:FedExP",
        "qfedavg": "qfedavg:QFedAvg",
        "feddgga": "feddgga:FedDGGA",
        "fedlws": "fedlws:FedLWS",
        "feddyn": "feddyn:FedDyn",
        "moon": "moon:Moon",
        "fedlc": "fedlc:FedLC",
        "ditto": "ditto:Ditto",
        "finetune": "finetune:FineTune",
        "silobn": "silobn:SiloBN",
        "fedper": "fedper:FedPer",
        "fedrep": "fedrep:FedRep",
        "mrmtl": "mrmtl:MRMTL",
        "apfl": "apfl:APFL",
        "fedrod": "fedrod:FedRoD",
        "fedala": "fedala:FedALA",
        "centralized": "baselines:Centralized",
        "local": "baselines:Local",
    },
    results_versions={
        "scaffold": 2,
        "feddyn": 2,
        "finetune": 2,
        "centralized": 3,
        "local": 2,
    },
)
