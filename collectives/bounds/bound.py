"""What no algorithm can beat, with a certificate that a few lines of code can check."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from collectives.collective import Collective
from topology.errors import SupernodeError
from topology.supernode import Supernode


class CertificateError(SupernodeError):
    """A certificate that does not prove what it claims."""


class Certificate(Protocol):
    """Proof of a lower bound on the time."""

    @property
    def words(self) -> str:
        """Say what limits, in words."""

    def seconds_per_byte(self, supernode: Supernode) -> float:
        """Recompute the claim from the graph alone."""

    def check(self, supernode: Supernode) -> bool:
        """Return True if the claim holds; raise `CertificateError` if not."""


@dataclass(frozen=True)
class Bound:
    """A lower bound on the time of a collective.

    Attributes
    ----------
    collective
        Which one.
    ranks
        How many take part.
    seconds_per_byte
        Seconds for each byte of the size S that no algorithm and no routing can save.
    certificate
        The proof.
    size
        S in bytes, if the bound is for one size.
    """

    collective: Collective
    ranks: int
    seconds_per_byte: float
    certificate: Certificate
    size: float | None = None

    @property
    def algbw(self) -> float:
        """Return the highest S / time in bytes/s."""
        return 1 / self.seconds_per_byte if self.seconds_per_byte > 0 else float("inf")

    @property
    def busbw(self) -> float:
        """Return `algbw` times the collective's factor."""
        return self.algbw * self.collective.factor(self.ranks)

    @property
    def time(self) -> float:
        """Return the shortest time for the size, in seconds."""
        if self.size is None:
            raise SupernodeError("this bound has no size; use at(size) for a time")
        return self.seconds_per_byte * self.size

    def at(self, size: float) -> Bound:
        """Return the same bound for a size in bytes."""
        return Bound(self.collective, self.ranks, self.seconds_per_byte, self.certificate, size)

    def __float__(self) -> float:
        return self.time
