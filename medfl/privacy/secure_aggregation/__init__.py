"""Secure aggregation: the server learns the sum of the clients' updates, and no single one.

Bonawitz et al., Practical Secure Aggregation for Privacy-Preserving Machine Learning, CCS 2017,
with signatures and the consistency check, so that a server that lies learns no more.
"""

from medfl.privacy.sealed.fixed_point import FixedPoint
from medfl.privacy.sealed.identities import KeyDirectory, SigningIdentity
from medfl.privacy.sealed.model_hash import hash_of_model
from medfl.privacy.sealed.refusals import RefusedMessageError
from medfl.privacy.secure_aggregation.aggregator import SecureAggregator
from medfl.privacy.secure_aggregation.client import AggregationClient
from medfl.privacy.secure_aggregation.in_process import SimulatedAggregation
from medfl.privacy.secure_aggregation.refusals import RoundAbortedError
from medfl.privacy.secure_aggregation.server import AggregationServer
from medfl.privacy.secure_aggregation.settings import ProtocolSettings
from medfl.privacy.secure_aggregation.transcript import Transcript

__all__ = [
    "AggregationClient",
    "AggregationServer",
    "FixedPoint",
    "KeyDirectory",
    "ProtocolSettings",
    "RefusedMessageError",
    "RoundAbortedError",
    "SecureAggregator",
    "SigningIdentity",
    "SimulatedAggregation",
    "Transcript",
    "hash_of_model",
]
