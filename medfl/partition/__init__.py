"""Divides a dataset between clients, and measures how heterogeneous they come out."""

from medfl.partition.asked import client_transform
from medfl.partition.base import Block, Partition, Request, Value
from medfl.partition.heterogeneity import heterogeneity
from medfl.partition.registry import PARTITIONS
from medfl.partition.scheme import parse_partition, partition_title
from medfl.partition.split import Split, make_split
from medfl.partition.write import write_split

__all__ = [
    "PARTITIONS",
    "Block",
    "Partition",
    "Request",
    "Split",
    "Value",
    "client_transform",
    "heterogeneity",
    "make_split",
    "parse_partition",
    "partition_title",
    "write_split",
]
