"""What no algorithm can beat, with certificates."""

from collectives.bounds.bound import Bound as Bound
from collectives.bounds.certificates import Certificate as Certificate
from collectives.bounds.certificates import CertificateError as CertificateError
from collectives.bounds.certificates import CollectiveNeed as CollectiveNeed
from collectives.bounds.certificates import Cut as Cut
from collectives.bounds.certificates import Lengths as Lengths
from collectives.bounds.certificates import Need as Need
from collectives.bounds.certificates import Nothing as Nothing
from collectives.bounds.certificates import PairsNeed as PairsNeed
from collectives.bounds.certificates import PartsSum as PartsSum
from collectives.bounds.certificates import TokenNeed as TokenNeed
from collectives.bounds.certificates import read_certificate as read_certificate
from collectives.bounds.gather import GatherOptimum as GatherOptimum
from collectives.bounds.limits import bound as bound
from collectives.bounds.limits import bound_needs as bound_needs
from collectives.bounds.limits import gather_bound as gather_bound
from collectives.bounds.sensitivity import Worth as Worth
from collectives.bounds.sensitivity import sensitivity as sensitivity
