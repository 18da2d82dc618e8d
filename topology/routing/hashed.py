"""Route as switches do under ECMP per flow: a hash sends each pair over one shortest path.

Flows that meet by chance on one link make it the slowest, as balls that meet in a bin.

References
----------
RFC 2991 and RFC 2992 (ECMP by hash); Al-Fares et al., Hedera, NSDI 2010 (collisions of large
flows); Raab and Steger, Balls into bins, RANDOM 1998.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy

from topology import border, units
from topology.errors import RoutingError
from topology.fabric import Fabric, FloatArray, IntArray
from topology.routing.demand import DemandLike
from topology.routing.given import as_demand
from topology.routing.paths import Heads
from topology.routing.policies import router, routing
from topology.routing.shortest import Choice, ShortestWalker
from topology.supernode import Supernode
from topology.symmetry import scramble
from topology.text import Part, Printed, Table, counted

_QUANTILES = (0.05, 0.5, 0.95)
_CONFIDENCE = 0.95


@routing("hashed")
class Hashed(ShortestWalker):
    """ECMP by hash per flow: a pair keeps to one lane of one link at every hop.

    Attributes
    ----------
    fabric
        What it routes on.
    seed
        Of the hash: another seed, another draw.
    """

    title = "hashed ECMP"

    def __init__(self, fabric: Fabric, *, exact: bool = False, seed: int = 0) -> None:
        super().__init__(fabric, exact=exact)
        self.seed = border.seed(seed, "hashed: seed", RoutingError)

    @property
    def words(self) -> str:
        """Say which way traffic goes."""
        return f"ECMP hashed per flow, each pair on one lane of one shortest path, seed {self.seed}"

    def chosen(self, at: Heads, hops: Choice) -> tuple[IntArray, IntArray]:
        """Return a lane by a hash of the pair, salted by the node: all lanes are alike."""
        pair = (at.src * len(self.fabric.npus) + at.dst).astype(np.uint64)
        salted = scramble(pair ^ scramble(np.full(1, self.seed, dtype=np.uint64)))
        mixed = scramble(salted + scramble(at.node.astype(np.uint64)))
        ends = np.concatenate(([0], np.cumsum(hops.lanes)))
        low, high = ends[hops.first], ends[hops.first + hops.count]
        drawn = low + (mixed % (high - low).astype(np.uint64)).astype(np.int64)
        entry = np.searchsorted(ends, drawn, side="right") - 1
        return entry, drawn - ends[entry]


@dataclass(frozen=True, eq=False, repr=False)
class WorstLink(Printed):
    """How long the worst link is busy, over seeds of the hash.

    Attributes
    ----------
    busy
        Seconds the worst link or switch is busy with each seed, shape (seeds,).
    sprayed
        Seconds when every pair sprays over all its shortest paths.
    """

    busy: FloatArray
    sprayed: float

    @property
    def mean(self) -> float:
        """Return the mean over the seeds, in seconds."""
        return float(self.busy.mean())

    @property
    def std(self) -> float:
        """Return the standard deviation over the seeds, in seconds; 0 of a single one."""
        return float(self.busy.std(ddof=1)) if len(self.busy) > 1 else 0.0

    def interval(self, confidence: float = _CONFIDENCE) -> tuple[float, float]:
        """Return the confidence interval of the mean, by Student's t; infinite of one seed."""
        level = border.probability(confidence, "confidence", RoutingError)
        count = len(self.busy)
        if count < 2:
            return -np.inf, np.inf
        half = float(scipy.special.stdtrit(count - 1, (1 + level) / 2)) * self.std / count**0.5
        return self.mean - half, self.mean + half

    def quantile(self, q: float) -> float:
        """Return the busy seconds that a fraction ``q`` of the seeds do not exceed."""
        return float(np.quantile(self.busy, border.probability(q, "quantile", RoutingError)))

    def parts(self) -> list[Part]:
        """Return what people read: the mean against spraying, and the distribution."""
        low, high = self.interval()
        ratio = self.mean / self.sprayed if self.sprayed else 1.0
        rows = [
            ("mean", units.format_time(self.mean)),
            ("95 % interval of the mean", f"{units.format_time(low)} to {units.format_time(high)}"
             if np.isfinite(low) else "one seed has none"),
            ("standard deviation", units.format_time(self.std)),
            *((f"{100 * q:g} % of seeds below", units.format_time(self.quantile(q)))
              for q in _QUANTILES),
            ("worst seed", units.format_time(float(self.busy.max()))),
            ("sprayed", units.format_time(self.sprayed)),
        ]  # fmt: skip
        seeds = counted(len(self.busy), "seed")
        said = f"hashed ECMP over {seeds}: the worst link is busy {ratio:.3g}×"
        return [f"{said} as long as under spraying", Table("", ("", ""), rows)]

    def to_dict(self) -> dict[str, Any]:
        """Return the same as plain data, in seconds."""
        return {
            "seeds": len(self.busy), "mean_s": self.mean, "std_s": self.std,
            "interval95_s": self.interval(), "sprayed_s": self.sprayed,
            "quantiles_s": {str(q): self.quantile(q) for q in (0.0, *_QUANTILES, 1.0)},
        }  # fmt: skip


def worst_link(
    supernode: Supernode | Fabric, demand: DemandLike = None, *, seeds: int | Iterable[int] = 100
) -> WorstLink:
    """Return how long hashed ECMP keeps the worst link busy, over seeds of its hash.

    Parameters
    ----------
    supernode
        The machine.
    demand
        In bytes, see `as_demand`; None is one byte from every NPU to every other.
    seeds
        How many, or which.

    Raises
    ------
    RoutingError
        If there is no seed, the demand does not fit, or a pair has no path.
    """
    fabric = supernode.fabric if isinstance(supernode, Supernode) else supernode
    chosen = range(border.whole(seeds, "seeds")) if border.is_whole(seeds) else seeds
    draws = border.ordered(chosen, "seeds", RoutingError)
    if not draws:
        raise RoutingError("seeds: give one seed or more")
    sent = as_demand(fabric, demand)
    flows = (Hashed(fabric, seed=seed).route(sent) for seed in draws)
    return WorstLink(
        np.array([flow.worst() for flow in flows]), router(fabric, "ecmp").route(sent).worst()
    )
