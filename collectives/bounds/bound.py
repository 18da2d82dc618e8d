"""What no algorithm can beat, with a certificate that a few lines of code can check."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, Protocol, runtime_checkable

from collectives.model.collective import Collective
from topology import units
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


@runtime_checkable
class Recorded(Protocol):
    """A certificate that can be written down."""

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data, for JSON."""


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
    latency
        Seconds that not even an empty message can save.
    exact
        Bytes/s of `algbw` as a fraction, where it is known to be the optimum.
    reached
        The highest algbw in bytes/s that some algorithm is known to reach on an idle fabric, if
        known; `gap` is what lies between.
    composed
        For all-reduce: seconds per byte of the best reduce-scatter followed by the best
        all-gather. No schedule of that form beats it; other all-reduces might.
    holds_for
        Which algorithms the bound holds for.
    """

    collective: Collective
    ranks: int
    seconds_per_byte: float
    certificate: Certificate
    size: float | None = None
    latency: float = 0.0
    exact: Fraction | None = None
    reached: float | None = None
    composed: float | None = None
    holds_for: str = "any algorithm and any routing; NPUs may relay"

    @property
    def algbw(self) -> float:
        """Return the highest S / time in bytes/s: at this size, or for large ones."""
        if self.size is not None and self.time > 0:
            return self.size / self.time
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
        return max(self.latency, self.seconds_per_byte * self.size)

    @property
    def gap(self) -> float | None:
        """Return how far the bound may lie above what can be reached, as a fraction of it."""
        if self.reached is None or self.seconds_per_byte == 0:
            return None
        return max(0.0, 1 - self.reached * self.seconds_per_byte)

    @property
    def words(self) -> str:
        """Say what limits at this size, in words, and for which algorithms."""
        if self.size is not None and self.latency > self.seconds_per_byte * self.size:
            return f"latency: no message takes less than {units.format_time(self.latency)}"
        if self.composed is None:
            return self.certificate.words
        best = units.format_rate(1 / self.composed)
        return (
            f"{self.certificate.words}; any {self.collective.title} keeps to that, and "
            f"reduce-scatter with all-gather to {best}"
        )

    def at(self, size: float) -> Bound:
        """Return the same bound for a size in bytes."""
        return replace(self, size=size)

    def __float__(self) -> float:
        return self.time

    def to_dict(self) -> Mapping[str, Any]:
        """Return everything as plain data in SI units, for JSON."""
        exact, proof = self.exact, self.certificate
        return {
            "collective": self.collective.name,
            "ranks": self.ranks,
            "seconds_per_byte": self.seconds_per_byte,
            "algbw_Bps": self.algbw,
            "busbw_Bps": self.busbw,
            "algbw_exact_Bps": None if exact is None else f"{exact.numerator}/{exact.denominator}",
            "reached_Bps": self.reached,
            "gap": self.gap,
            "latency_s": self.latency,
            "size_bytes": self.size,
            "time_s": None if self.size is None else self.time,
            "reduce_scatter_all_gather_seconds_per_byte": self.composed,
            "holds_for": self.holds_for,
            "words": self.words,
            "certificate": proof.to_dict() if isinstance(proof, Recorded) else None,
        }
