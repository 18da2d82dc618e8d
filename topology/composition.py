"""Join supernodes by a scale-out network: copies of them, and the NICs that meet its switches."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from topology import border
from topology.errors import GraphError
from topology.hardware.media import LinkType
from topology.scale_out import Nic, ScaleOut, scale_out_of, wire
from topology.supernode import Builder, Supernode

_OFFSET = ("node", "rack", "supernode")


def compose(
    supernode: Supernode | Sequence[Supernode],
    count: int = 1,
    *,
    scale_out: str | float | LinkType | ScaleOut,
    name: str | None = None,
) -> Supernode:
    """Return several supernodes joined by a scale-out network, as one machine.

    ::

        cores (third tier, if two do not reach)
        spines              [0] [1] ... [s]
                             | X | X ... |
        leaves              [0] [1] ... [l]
                             |           |
        NICs                 n n n   n n n
        supernodes          (o o o) (o o o)

    Parameters
    ----------
    supernode
        The machine to repeat, or several different ones, which are then repeated in turn. NICs
        it has are used if they pass nothing on yet; a machine without NICs gets one per NPU.
    count
        How many times.
    scale_out
        A name ("roce", "infiniband"), a `ScaleOut`, or just a link type for one with switches of
        64 ports: a name in media.csv, bytes/s, or a `LinkType`.
    name
        What tables call it; by default the machine's name and the count.

    Returns
    -------
    Supernode
        Node ``a/b`` of supernode i is ``a/i/b``; the ranks are those of supernode 0, then of 1,
        and so on. ``node`` and ``rack`` count on from supernode to supernode, and ``supernode``
        says which.

    Raises
    ------
    GraphError
        If count is not a whole number of 1 or more, the NICs are on a network already, or three
        tiers of switches do not reach.
    """
    count = border.whole(count, "compose: count")
    kinds = (
        [supernode]
        if isinstance(supernode, Supernode)
        else border.ordered(supernode, "compose: supernode")
    )
    if not kinds:
        raise GraphError("compose: there is no supernode; give one or more")
    size = [sum(n) for n in zip(*(_size(kind) for kind in kinds), strict=True)]
    border.afford(f"compose: {count:,} times", *(count * n for n in size))
    plan = scale_out_of(scale_out)
    builder = Builder()
    npus: list[str] = []
    nics: list[Nic] = []
    offsets = dict.fromkeys(_OFFSET, 0)
    parts = {id(kind): _Part(kind, plan) for kind in kinds}
    for index, kind in enumerate(kinds * count):
        part = parts[id(kind)]
        npus += part.copy(builder, index, offsets)
        nics += part.nics(builder, index, offsets)
        offsets = {key: offsets[key] + part.spans[key] for key in _OFFSET}
    wire(builder, plan, nics, set.intersection(*(p.prefixes for p in parts.values())))
    return builder.build(
        name or _name(kinds, count),
        npus,
        sources=dict.fromkeys([s for kind in kinds for s in kind.sources] + [*plan.sources]),
        parameters=_parameters(kinds, count, plan),
    )


def _size(machine: Supernode) -> tuple[int, int]:
    return machine.graph.number_of_nodes(), machine.graph.number_of_edges()


def _name(kinds: Sequence[Supernode], count: int) -> str:
    names = list(dict.fromkeys(kind.name for kind in kinds))
    return f"{count * len(kinds)}x {' + '.join(names)}"


def _parameters(kinds: Sequence[Supernode], count: int, plan: ScaleOut) -> dict[str, Any]:
    machines = [
        {"name": kind.name, "parameters": dict(kind.parameters), "history": list(kind.history)}
        for kind in kinds
    ]
    wiring = {item.name: getattr(plan, item.name) for item in fields(plan)}
    return {"machines": machines, "count": count, "scale_out": wiring}


class _Part:
    """A supernode to be copied, with what every copy shares worked out once."""

    def __init__(self, machine: Supernode, plan: ScaleOut) -> None:
        self.machine = machine
        self.plan = plan
        nodes = machine.graph.nodes(data=True)
        self.names = [_split(node, str(data.get("kind", "switch"))) for node, data in nodes]
        self.prefixes = {head for head, _ in self.names}
        self.spans = {key: _span([data.get(key) for _, data in nodes]) for key in _OFFSET}
        self.spans["supernode"] = max(1, self.spans["supernode"])
        self.own = _own_nics(machine)
        self.rename: dict[str, str] = {}

    def copy(self, builder: Builder, index: int, offsets: Mapping[str, int]) -> list[str]:
        """Add the copy of one index and return its ranks."""
        graph = self.machine.graph
        names = [f"{head}/{index}/{rest}" for head, rest in self.names]
        self.rename = dict(zip(graph, names, strict=True))
        rows = {node: self._attributes(data, offsets) for node, data in graph.nodes(data=True)}
        for nic in self.own:
            rows[nic]["forwards"] = True
        builder.include(graph, self.rename, rows)
        return [self.rename[npu] for npu in self.machine.npus]

    def _attributes(self, data: Mapping[str, Any], offsets: Mapping[str, int]) -> dict[str, Any]:
        """Return a node's attributes in a copy: its node, rack and supernode counted on."""
        row = {"supernode": 0, **data}
        for key in _OFFSET:
            if self.spans[key] and row.get(key) is not None:
                row[key] += offsets[key]
        return row

    def nics(self, builder: Builder, index: int, offsets: Mapping[str, int]) -> list[Nic]:
        """Return the NICs of the copy made last, adding them if it has none."""
        if self.own:
            homes = [self.machine.graph.nodes[nic].get("node") for nic in self.own]
            return _on_rails([self.rename[nic] for nic in self.own], homes)
        return self._new_nics(builder, index, offsets)

    def _new_nics(self, builder: Builder, index: int, offsets: Mapping[str, int]) -> list[Nic]:
        plan, each = self.plan, self.plan.npus_per_nic
        owners = self.machine.npus[::each]
        rows = [self.machine.graph.nodes[npu] for npu in owners]
        prefix = "nic" if "nic" not in self.prefixes else "scale-out-nic"
        names = builder.add_nodes(
            (f"{prefix}/{index}/{i}" for i in range(len(owners))),
            kind="nic", tier=1, device=plan.nic, forwards=True,
            supernode=offsets["supernode"],
            **{key: _shifted([row.get(key) for row in rows], offsets[key])
               for key in ("node", "rack")},
        )  # fmt: skip
        ends = ((self.rename[npu], names[i // each]) for i, npu in enumerate(self.machine.npus))
        builder.connect(ends, plan.inner)
        return _on_rails(names, [row.get("node") for row in rows])


def _split(node: str, kind: str) -> tuple[str, str]:
    """Return the first part of an id and the rest; an id of one part belongs to its kind."""
    head, slash, rest = node.partition("/")
    return (head, rest) if slash else (kind, node)


def _span(values: Sequence[object]) -> int:
    """Return how many numbers an attribute counts through; 0 where it is no number."""
    known = [value for value in values if value is not None]
    whole = [v for v in known if isinstance(v, int) and not isinstance(v, bool)]
    return max(whole) + 1 if whole and len(whole) == len(known) and min(whole) >= 0 else 0


def _shifted(values: Sequence[Any], offset: int) -> list[Any] | None:
    if any(value is None for value in values):
        return None
    return [value + offset if isinstance(value, int) else value for value in values]


def _own_nics(machine: Supernode) -> list[str]:
    """Return the machine's NICs in the order of the ranks they serve."""
    graph = machine.graph
    rank = {npu: r for r, npu in enumerate(machine.npus)}
    first: dict[str, int] = {}
    for node, data in graph.nodes(data=True):
        if data.get("kind") != "nic":
            continue
        near = {*graph.successors(node), *graph.predecessors(node)}
        beyond = sorted(n for n in near if graph.nodes[n].get("kind") == "switch")
        if beyond and data.get("forwards"):
            raise GraphError(
                f"compose: {node} of {machine.name} is on {beyond[0]} already; compose the machine "
                "without its own scale-out network, such as scale_out=False"
            )
        served = [rank[n] for n in near if n in rank]
        if served:
            first[node] = min(served)
    return sorted(first, key=lambda nic: first[nic])


def _on_rails(names: Sequence[str], homes: Sequence[object]) -> list[Nic]:
    """Give each NIC its rail: its place among the NICs of the same node."""
    seen: defaultdict[object, int] = defaultdict(int)
    found = []
    for name, home in zip(names, homes, strict=True):
        found.append(Nic(name, seen[home]))
        seen[home] += 1
    return found
