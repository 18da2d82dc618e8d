"""What no algorithm can beat, with certificates."""

from collectives.bounds.bound import Bound, Certificate, CertificateError
from collectives.bounds.codec import read_certificate
from collectives.bounds.cuts import Cut, Nothing, PartsSum
from collectives.bounds.dual import Lengths
from collectives.bounds.gather import GatherOptimum
from collectives.bounds.limits import bound, gather_bound
from collectives.bounds.sensitivity import Worth, sensitivity

__all__ = [
    "Bound",
    "Certificate",
    "CertificateError",
    "Cut",
    "GatherOptimum",
    "Lengths",
    "Nothing",
    "PartsSum",
    "Worth",
    "bound",
    "gather_bound",
    "read_certificate",
    "sensitivity",
]
