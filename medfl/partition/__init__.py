"""Who holds what: partitions of a dataset between clients, and how heterogeneous they come out."""

from medfl.partition.feature import client_transform
from medfl.partition.heterogeneity import heterogeneity
from medfl.partition.scheme import Scheme, parse_partition
from medfl.partition.split import Split, make_split
from medfl.partition.write import write_split

__all__ = [
    "Scheme",
    "Split",
    "client_transform",
    "heterogeneity",
    "make_split",
    "parse_partition",
    "write_split",
]
