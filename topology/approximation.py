"""Say where a number is not exact: what was left out, why, and how large the error can be."""

from __future__ import annotations

from dataclasses import dataclass

from topology.errors import SupernodeError


class NotExactError(SupernodeError):
    """An exact answer was asked for, and only an approximate one can be had."""


@dataclass(frozen=True, order=True)
class Approximation:
    """One way in which an answer is not exact.

    Attributes
    ----------
    what
        The quantity: "path latency", "bound".
    why
        What was capped, sampled or left out: "lengths of 9,216 links that differ count as the
        longest of their kind".
    error
        How far the answer can be off, as a fraction of the exact one; None where that is not
        known, as of algorithms that were not tried.
    """

    what: str
    why: str
    error: float | None = None

    def __str__(self) -> str:
        if self.error is None:
            return f"{self.what}: {self.why}"
        return f"{self.what}: {self.why}; off by at most {100 * self.error:.2g} %"


def require_exact(found: tuple[Approximation, ...]) -> None:
    """Raise `NotExactError` if there is any approximation."""
    if found:
        raise NotExactError(
            "an exact answer was asked for, and this one is not: " + "; ".join(map(str, found))
        )
