"""What no algorithm can beat, with certificates."""

from collectives.bounds.bound import Bound, Certificate, CertificateError
from collectives.bounds.cuts import cut_bound as bound

__all__ = ["Bound", "Certificate", "CertificateError", "bound"]
