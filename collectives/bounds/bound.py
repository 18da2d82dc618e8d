"""A lower bound on the time of a collective, or of several at once, and what proves it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from typing import Any

from collectives.bounds.certificates import Certificate, CollectiveNeed, Nothing
from collectives.model.collective import Collective
from topology import border, units
from topology.approximation import Approximation
from topology.errors import SupernodeError
from topology.text import Part, Printed, counted

RELAYING = "any algorithm and any routing; NPUs may relay, and switches may copy data"
WITHOUT_RELAY = (
    "algorithms in which no NPU passes on what it received; "
    "switches may copy data if the machine says they do"
)


@dataclass(frozen=True, repr=False)
class Bound(Printed):
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
        Bytes/s of `peak` as a fraction, where it is proven to be the optimum of large sizes, and
        reached without any switch that copies or adds data.
    reached
        The highest algbw in bytes/s that some algorithm is known to reach for large sizes on an
        idle fabric, if known; `gap` is what lies between it and `peak`.
    composed
        For all-reduce: seconds per byte of the best reduce-scatter followed by the best
        all-gather. No schedule of that form beats it; other all-reduces might.
    holds_for
        Which algorithms the bound holds for.
    approximations
        Where the tightest bound was not looked for to the end; what is here holds all the same.
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
    holds_for: str = RELAYING
    approximations: tuple[Approximation, ...] = ()

    @property
    def algbw(self) -> float:
        """Return the highest S / time in bytes/s: at this size, or for large ones."""
        if self.size is not None and self.time > 0:
            return self.size / self.time
        return self.peak

    @property
    def peak(self) -> float:
        """Return the highest S / time in bytes/s for large sizes, where latency counts nothing."""
        return 1 / self.seconds_per_byte if self.seconds_per_byte > 0 else float("inf")

    @property
    def busbw(self) -> float:
        """Return `algbw` times the collective's factor."""
        factor = self.collective.factor(self.ranks)
        return self.algbw * factor if factor else 0.0

    @property
    def time(self) -> float:
        """Return the shortest time for the size, in seconds."""
        if self.size is None:
            raise SupernodeError("this bound has no size; use at(size) for a time")
        return max(self.latency, self.seconds_per_byte * self.size)

    @property
    def gap(self) -> float | None:
        """Return how far the bound may lie above what large sizes can reach, as a fraction."""
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
        size = border.size(size, "bound: size", SupernodeError)
        moves = self.seconds_per_byte > 0  # a barrier beside other collectives has their size
        return replace(self, size=size if moves else self.collective.payload(size))

    def scaled(self, weight: float) -> Bound:
        """Return the bound of the same data per byte of an S that is 1/weight times as large."""
        weight = border.number(weight, "weight")
        if weight != 0:
            border.number(weight, "weight", least=1 / border.MOST)
        if weight == 1.0:
            return self
        proof = self.certificate
        needs = tuple(
            replace(need, weight=weight) if isinstance(need, CollectiveNeed) else need
            for need in proof.needs
        )
        if weight == 0:
            return Bound(self.collective, self.ranks, 0.0, Nothing(needs), latency=self.latency)
        return replace(
            self,
            seconds_per_byte=self.seconds_per_byte * weight,
            certificate=replace(proof, needs=needs, claim=proof.claim * weight),
            exact=None if self.exact is None else self.exact / Fraction(weight),
            reached=None if self.reached is None else self.reached / weight,
            composed=None if self.composed is None else self.composed * weight,
        )

    def __float__(self) -> float:
        return self.time

    def parts(self) -> list[Part]:
        """Return what the bound is, by what, for whom."""
        kind, size = self.collective, self.size
        who = f"{kind.title if size is None else kind.of(size)} on {counted(self.ranks, 'rank')}"
        if size is not None:
            who += f": at least {units.format_time(self.time)}"
        rate = (
            "" if self.algbw in (0, float("inf")) else f", at most {units.format_rate(self.algbw)}"
        )
        said: list[Part] = [f"{who}{rate}, by {self.words}.", f"Holds for {self.holds_for}."]
        return said + [f"Not exact: {one}." for one in self.approximations]

    def __repr__(self) -> str:
        proof = type(self.certificate).__name__
        return (
            f"<Bound {self.collective.name} on {counted(self.ranks, 'rank')}: "
            f"{self.seconds_per_byte:.6g} s/B, latency {self.latency:.6g} s, {proof}>"
        )

    def to_dict(self) -> Mapping[str, Any]:
        """Return everything as plain data in SI units, for JSON."""
        exact = self.exact
        return {
            "collective": self.collective.name,
            "ranks": self.ranks,
            "seconds_per_byte": self.seconds_per_byte,
            "algbw_Bps": self.algbw,
            "busbw_Bps": self.busbw,
            "large_sizes": {
                "algbw_Bps": self.peak,
                "algbw_exact_Bps": None if exact is None else str(exact),
                "reached_Bps": self.reached,
                "gap": self.gap,
            },
            "latency_s": self.latency,
            "size_bytes": self.size,
            "time_s": None if self.size is None else self.time,
            "reduce_scatter_all_gather_seconds_per_byte": self.composed,
            "holds_for": self.holds_for,
            "approximations": [asdict(one) for one in self.approximations],
            "words": self.words,
            "certificate": self.certificate.to_dict(),
        }
