"""What no algorithm can beat, with certificates."""

from collectives.bounds.bound import Bound
from collectives.bounds.certificates import (
    Certificate,
    CertificateError,
    CollectiveNeed,
    Cut,
    Lengths,
    Need,
    Nothing,
    PairsNeed,
    PartsSum,
    TokenNeed,
    read_certificate,
)
from collectives.bounds.gather import GatherOptimum
from collectives.bounds.limits import bound, bound_needs, gather_bound
from collectives.bounds.sensitivity import Worth, sensitivity

__all__ = [
    "Bound",
    "Certificate",
    "CertificateError",
    "CollectiveNeed",
    "Cut",
    "GatherOptimum",
    "Lengths",
    "Need",
    "Nothing",
    "PairsNeed",
    "PartsSum",
    "TokenNeed",
    "Worth",
    "bound",
    "bound_needs",
    "gather_bound",
    "read_certificate",
    "sensitivity",
]
