"""What software takes at the ends of every transfer, and at what rate links run."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from collectives.model.schedule import IntArray, ScheduleError
from topology import border
from topology.errors import unknown_name
from topology.fabric import Fabric, FloatArray
from topology.hardware.devices import device, device_catalogue
from topology.supernode import Supernode

RATES = ("line", "effective")


@dataclass(frozen=True)
class Endpoint:
    """Endpoint software: seconds per step and per message, and where the figures come from."""

    alpha: float
    message: float
    source: str


def endpoint_of(
    supernode: Supernode,
    ranks: IntArray,
    alpha: float | str | None = None,
    message: float | str | None = None,
) -> Endpoint:
    """Return the endpoint overheads of some ranks: the slowest device's, unless given.

    Parameters
    ----------
    supernode, ranks
        Whose devices to look up.
    alpha, message
        Seconds, or texts with a unit, per step and per message, instead of the catalogue's.
    """
    own = {
        name: border.quantity(value, name, "seconds", error=ScheduleError)
        for name, value in (("alpha", alpha), ("message", message))
        if value is not None
    }
    nodes = supernode.graph.nodes
    names = {str(nodes[supernode.npus[r]].get("device") or "") for r in ranks.tolist()}
    known = device_catalogue()
    rows = [device(name) for name in sorted(names & set(known))]
    source = _source(
        [row.name for row in rows], sorted(names - set(known)),
        given=[{"alpha": "α"}.get(name, name) for name in own],
    )  # fmt: skip
    slowest = {
        name: max((row.value(name) for row in rows), default=0.0) for name in ("alpha", "message")
    }
    return Endpoint(**{**slowest, **own}, source=source)


def _source(rows: list[str], unknown: list[str], given: list[str]) -> str:
    """Say where the overheads come from, and for which devices there are none."""
    said = [f"{' and '.join(given)} given"] if given else []
    if len(given) < 2:
        said += [f"device row{'s' if len(rows) > 1 else ''} {', '.join(rows)}"] if rows else []
        if unknown:
            bare = ", ".join(name or "NPUs without a device" for name in unknown)
            said.append(f"no device row for {bare}: no overhead of its own")
    return "; ".join(said)


def arc_rates(fabric: Fabric, rate: str) -> FloatArray:
    """Return bytes/s of each arc, shape (arcs,): its line rate, or what software reaches on it.

    Raises
    ------
    UnknownNameError
        If the rate is not one of `RATES`.
    """
    if rate not in RATES:
        raise unknown_name("rate", rate, RATES)
    if rate == "line":
        return fabric.capacity
    efficiency = np.array([link.efficiency for link in fabric.links])
    reached: FloatArray = fabric.capacity * efficiency[fabric.link]
    return reached
