"""The update chain: what lies between a client's training and the server's step."""

from medfl.chain.chain import Chain, build_chain, check_chain, public_pixels
from medfl.chain.combine import Combination, Rule, WeightedSum
from medfl.chain.link import Link
from medfl.chain.message import (
    PARAMETERS,
    STATISTICS,
    Drawn,
    Message,
    NotFiniteError,
    Part,
    Sealed,
    Total,
    Work,
    all_finite,
)
from medfl.chain.registry import LINKS, RULES

__all__ = [
    "LINKS",
    "PARAMETERS",
    "RULES",
    "STATISTICS",
    "Chain",
    "Combination",
    "Drawn",
    "Link",
    "Message",
    "NotFiniteError",
    "Part",
    "Rule",
    "Sealed",
    "Total",
    "WeightedSum",
    "Work",
    "all_finite",
    "build_chain",
    "check_chain",
    "public_pixels",
]
