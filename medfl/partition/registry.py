"""The partitions by name."""

from __future__ import annotations

from medfl.partition.base import Partition
from medfl.registry import Registry

PARTITIONS: Registry[type[Partition]] = Registry(
    "partition",
    package="medfl.partition",
    base="medfl.partition:Partition",
    names={
        "iid": "label:Iid",
        "dirichlet": "label:Dirichlet",
        "pathological": "label:Pathological",
        "quantity": "quantity:PowerLaw",
        "dirichletquantity": "quantity:DirichletSizes",
        "noise": "feature:NoiseSkew",
        "scanner": "feature:ScannerSkew",
        "site": "site:Sites",
        "site-dirichlet": "site:DividedSites",
        "leave-out": "leave_out:LeaveOut",
        "pooled": "pooled:Pooled",
        "custom": "custom:Custom",
    },
)
