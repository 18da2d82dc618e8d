"""Proofs of lower bounds: plain facts, one codec, and a check that shares nothing with finders."""

from collectives.bounds.certificates.codec import CertificateError as CertificateError
from collectives.bounds.certificates.needs import CollectiveNeed as CollectiveNeed
from collectives.bounds.certificates.needs import Need as Need
from collectives.bounds.certificates.needs import PairsNeed as PairsNeed
from collectives.bounds.certificates.needs import TokenNeed as TokenNeed
from collectives.bounds.certificates.proofs import KINDS as KINDS
from collectives.bounds.certificates.proofs import Certificate as Certificate
from collectives.bounds.certificates.proofs import Cut as Cut
from collectives.bounds.certificates.proofs import Lengths as Lengths
from collectives.bounds.certificates.proofs import Nothing as Nothing
from collectives.bounds.certificates.proofs import PartsSum as PartsSum
from collectives.bounds.certificates.proofs import read_certificate as read_certificate
