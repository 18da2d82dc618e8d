"""What no algorithm can beat, with certificates."""

from collectives.bounds.bound import Bound, Certificate, CertificateError
from collectives.bounds.cuts import Cut, Nothing, PartsSum
from collectives.bounds.gather import GatherOptimum
from collectives.bounds.limits import bound, gather_bound

__all__ = [
    "Bound",
    "Certificate",
    "CertificateError",
    "Cut",
    "GatherOptimum",
    "Nothing",
    "PartsSum",
    "bound",
    "gather_bound",
]
