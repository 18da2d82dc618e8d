"""Proofs of lower bounds: plain facts, one codec, and a check that shares nothing with finders."""

from collectives.bounds.certificates.codec import CertificateError
from collectives.bounds.certificates.needs import CollectiveNeed, Need, PairsNeed, TokenNeed
from collectives.bounds.certificates.proofs import (
    KINDS,
    Certificate,
    Cut,
    Lengths,
    Nothing,
    PartsSum,
    read_certificate,
)

__all__ = [
    "KINDS",
    "Certificate",
    "CertificateError",
    "CollectiveNeed",
    "Cut",
    "Lengths",
    "Need",
    "Nothing",
    "PairsNeed",
    "PartsSum",
    "TokenNeed",
    "read_certificate",
]
