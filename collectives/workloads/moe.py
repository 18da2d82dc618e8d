"""Analyse the two all-to-alls of a mixture of experts on a machine: dispatch and combine.

References
----------
DeepEP (github.com/deepseek-ai/DeepEP): low-latency kernels send a token for every expert; normal
kernels send it once to every node, along the rail, and on inside the node; combine adds up on the
way back.
Serving Large Language Models on Huawei CloudMatrix384, arXiv:2506.12708v2, for EP320.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from collectives.algorithms.alltoall import uneven
from collectives.analysis.analyze import Analysis, assumptions_of, team_of
from collectives.bounds import Need, PairsNeed, TokenNeed, bound_needs
from collectives.model.collective import collective
from collectives.model.schedule import (
    IntArray,
    Schedule,
    ScheduleError,
    Step,
    Team,
    require_groups,
)
from collectives.workloads.all_to_all_v import even_schedules, fastest
from collectives.workloads.dedup import token_schedule
from collectives.workloads.moe_traffic import Copies, MoELayer, route_tokens
from topology import border, units
from topology.errors import unknown_name
from topology.fabric import FloatArray
from topology.supernode import Supernode
from topology.text import Part, Table, plain

DEDUPS = ("none", "rank", "node")
_CROWDED = 1.01


@dataclass(frozen=True, eq=False)
class MoEAnalysis:
    """Dispatch and combine of one layer on a machine.

    Attributes
    ----------
    layer, copies
        What is sent.
    dispatch, combine
        An `Analysis` each. Their size S is `MoELayer.logical_bytes`, so their algbw is the
        bandwidth DeepEP prints.
    dedup
        "none", "rank" or "node": for whom a token is sent once.
    """

    layer: MoELayer
    copies: Copies
    dispatch: Analysis
    combine: Analysis
    dedup: str

    @property
    def time(self) -> float:
        """Return seconds of both."""
        return self.dispatch.time + self.combine.time

    @property
    def ep(self) -> int:
        """Return how many ranks share the experts."""
        return len(self.copies.home)

    @property
    def phases(self) -> tuple[tuple[str, Analysis], ...]:
        """Return dispatch and combine by name."""
        return ("dispatch", self.dispatch), ("combine", self.combine)

    def parts(self) -> list[Part]:
        """Return what people read, the answer first."""
        layer, copies = self.layer, self.copies
        rows = [
            (
                phase,
                units.format_time(found.time),
                units.format_rate(found.algbw),
                units.format_size(layer.token_bytes(phase)),
                units.format_percent(found.efficiency),
                busiest(found),
            )
            for phase, found in self.phases
        ]
        facts = [
            ("tokens a rank, top-k", f"{layer.tokens}, {layer.top_k}"),
            ("experts, a rank", f"{layer.experts}, {-(-layer.experts // self.ep)}"),
            ("a token's experts are on", f"{copies.ranks_per_token:.3g} ranks, "
                                         f"{copies.nodes_per_token:.3g} nodes"),
            ("copies that leave the node", units.format_percent(copies.leaving)),
            ("busiest rank over mean", f"{copies.imbalance:.3g}"),
            ("sent once for every", {"none": "expert"}.get(self.dedup, self.dedup)),
        ]  # fmt: skip
        headers = ("", "time", "logical bandwidth", "a token", "of bound", "bottleneck")
        both = units.format_time(self.time)
        return [
            f"EP{self.ep} takes {both}, dispatch {rows[0][1]} and combine {rows[1][1]}: "
            f"{self.dispatch.bottleneck.sentence.replace('all-to-all', 'dispatch', 1)}",
            f"{layer.tokens} tokens of {layer.hidden} on each of {self.ep} ranks of "
            f"{self.dispatch.supernode.name}, {self.dispatch.algorithm}",
            Table("", headers, rows),
            Table("", ("", ""), facts),
            Table("assumptions", ("",), [(note,) for note in self.dispatch.assumptions]),
        ]

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data, in SI units, for JSON."""
        return {
            "ep": self.ep,
            "dedup": self.dedup,
            "time_s": self.time,
            "nodes_per_token": self.copies.nodes_per_token,
            "ranks_per_token": self.copies.ranks_per_token,
            "imbalance": self.copies.imbalance,
            "leaving_node": self.copies.leaving,
            "token_bytes": {phase: self.layer.token_bytes(phase) for phase, _ in self.phases},
            "dispatch": self.dispatch.to_dict(),
            "combine": self.combine.to_dict(),
        }

    def __str__(self) -> str:
        return plain(*self.parts())


def busiest(found: Analysis) -> str:
    """Return the busiest class of links and its utilisation, and what takes the time if latency."""
    limit = found.bottleneck
    said = f"{limit.name} {units.format_percent(limit.utilisation)}" if limit.name else "none"
    return f"latency, then {said}" if limit.kind == "latency" else said


def analyze_moe(
    supernode: Supernode,
    layer: MoELayer,
    *,
    ranks: npt.ArrayLike | None = None,
    dedup: str = "none",
    algorithm: str = "direct",
    load: npt.ArrayLike | None = None,
    seed: int | None = None,
    group_size: int | None = None,
    **choices: Any,
) -> MoEAnalysis:
    """Analyse dispatch and combine of a mixture of experts.

    Parameters
    ----------
    supernode
        The machine.
    layer
        The layer; its experts are spread over the ranks (`place_experts`).
    ranks
        Who takes part; by default all.
    dedup
        "none" sends a token for every expert, "rank" once to every rank, "node" once to every
        node along the rails and on inside the node (`token_schedule`).
    algorithm
        An all-to-all algorithm, or "auto"; "node" has its own.
    load, seed
        See `route_tokens`.
    group_size, **choices
        As in `analyze`.

    Raises
    ------
    SupernodeError
        One clear message for anything that does not fit.
    """
    if not isinstance(dedup, str) or dedup not in DEDUPS:
        raise unknown_name("dedup", dedup, DEDUPS)
    team = team_of(supernode, ranks, group_size)
    if dedup == "node":
        require_groups(team, "once to every node")
    copies = route_tokens(layer, _homes(team), load=load, seed=seed)
    dispatch, combine = (
        _analyze_phase(supernode, team, copies, phase, dedup, algorithm, choices, drawn=seed)
        for phase in ("dispatch", "combine")
    )
    return MoEAnalysis(layer, copies, dispatch, combine, dedup)


def _homes(team: Team) -> IntArray:
    """Return the node of each position; all are one node where they form no groups."""
    home = np.zeros(team.size, dtype=np.int64)
    if team.groups is not None:
        home[team.groups.T] = np.arange(len(team.groups))
    elif team.supernode is not None and team.ranks is not None:
        nodes, npus = team.supernode.graph.nodes, team.supernode.npus
        names = [str(nodes[npus[rank]].get("node", "")) for rank in team.ranks.tolist()]
        home = np.unique(names, return_inverse=True)[1].reshape(-1)
    return home


def _analyze_phase(
    supernode: Supernode,
    team: Team,
    copies: Copies,
    phase: str,
    dedup: str,
    algorithm: str,
    choices: dict[str, Any],
    *,
    drawn: int | None,
) -> Analysis:
    size = copies.layer.logical_bytes(phase)
    if dedup == "node":
        schedules = [token_schedule(copies, phase, require_groups(team, "node"))]
    else:
        matrix = copies.matrix(phase, dedup=dedup)
        schedules = [
            _at_size(uneven(even, matrix), matrix, size) for even in even_schedules(team, algorithm)
        ]
    need = _need(supernode, team, copies, phase, dedup)
    best, cost, tried = fastest(supernode, schedules, team.ranks, size, choices)
    limit = bound_needs(
        supernode, [need], kind="all_to_all", size=size, endpoint=best.endpoint, gap=None
    )
    how = "expected values" if drawn is None else f"drawn with seed {drawn}"
    notes = (
        *assumptions_of(best, tried, auto=algorithm == "auto" and dedup != "node"),
        *best.schedule.notes[-1:],
        f"tokens: {how}; logical bandwidth counts every token for every expert, local ones too",
    )
    return Analysis(supernode, collective("all_to_all"), size, best, cost, limit, notes)


def _at_size(schedule: Schedule, matrix: FloatArray, size: float) -> Schedule:
    """Return an uneven schedule with S as given, instead of what is really sent."""
    ratio = matrix.sum() / len(matrix) / size
    steps = tuple(
        Step(step.transfers, step.traffic.scaled(ratio), step.repeat, step.phase)
        for step in schedule.steps
    )
    note = "S is what a rank would send if every token went to each of its experts"
    return Schedule(
        schedule.name, schedule.collective, schedule.ranks, schedule.chunks, steps, (note,)
    )


def _need(supernode: Supernode, team: Team, copies: Copies, phase: str, dedup: str) -> Need:
    size, ranks = copies.layer.logical_bytes(phase), np.asarray(team.ranks)
    if dedup != "node":
        return PairsNeed.of(supernode, copies.matrix(phase, dedup=dedup) / size, ranks)
    share = copies.layer.token_bytes(phase) / size
    tables = copies.per_rank * share, copies.per_node * share
    return TokenNeed.of(supernode, ranks, *tables, copies.home, back=phase == "combine")


@dataclass(frozen=True, eq=False)
class Scaling:
    """One layer on more and more ranks.

    Attributes
    ----------
    steps
        An analysis for each number of ranks, fewest first.
    """

    steps: tuple[MoEAnalysis, ...]

    def parts(self) -> list[Part]:
        """Return what people read: what changes from the fewest ranks to the most."""
        first, last = self.steps[0], self.steps[-1]
        rows = [
            (
                f"EP{found.ep}",
                f"{-(-found.layer.experts // found.ep)}",
                units.format_time(found.dispatch.time),
                units.format_time(found.combine.time),
                units.format_rate(found.dispatch.algbw),
                units.format_percent(found.copies.leaving),
                f"{found.copies.nodes_per_token:.3g}",
                f"{found.copies.imbalance:.3g}",
                busiest(found.dispatch),
            )
            for found in self.steps
        ]
        headers = (
            "", "experts a rank", "dispatch", "combine", "logical", "leaves node", "nodes a token",
            "max/mean", "busiest in dispatch",
        )  # fmt: skip
        names = list(dict.fromkeys(row.name for row in last.dispatch.links if row.utilisation > 0))
        used = [
            (name, *(_utilisation(found.dispatch, name) for found in self.steps)) for name in names
        ]
        machine = first.dispatch.supernode.name
        return [
            f"EP{first.ep} → EP{last.ep} on {machine}: dispatch "
            f"{units.format_time(first.dispatch.time)} → {units.format_time(last.dispatch.time)}, "
            f"combine {units.format_time(first.combine.time)} → "
            f"{units.format_time(last.combine.time)}; {self._moved()}",
            Table("", headers, rows),
            Table(
                "how busy the links are in dispatch",
                ("class", *(f"EP{found.ep}" for found in self.steps)),
                used,
            ),
            Table("assumptions", ("",), [(note,) for note in last.dispatch.assumptions]),
        ]

    def _moved(self) -> str:
        """Say whether the bottleneck moved."""
        first, last = (busiest(found.dispatch) for found in (self.steps[0], self.steps[-1]))
        one, other = (found.dispatch.bottleneck.name for found in (self.steps[0], self.steps[-1]))
        crowd = self.steps[-1].copies.imbalance
        why = f", as the busiest rank gets {crowd:.3g} times the mean" if crowd > _CROWDED else ""
        if one != other:
            return f"the bottleneck moves from {first} to {last}{why}"
        next_up = self.steps[-1].dispatch.bottleneck
        then = (
            f", the {next_up.runner_up} at {units.format_percent(next_up.runner_up_utilisation)}"
            if next_up.runner_up
            else ""
        )
        return f"the bottleneck stays {last}{then}{why}"

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data, in SI units, for JSON."""
        return {"scaling": [found.to_dict() for found in self.steps]}

    def __str__(self) -> str:
        return plain(*self.parts())


def _utilisation(found: Analysis, name: str) -> str:
    rows = [row.utilisation for row in found.links if row.name == name]
    return units.format_percent(max(rows, default=0.0))


def scale_experts(
    supernode: Supernode, layer: MoELayer, sizes: Iterable[int], **options: Any
) -> Scaling:
    """Analyse a layer on the first ranks of a machine, for several numbers of ranks.

    Parameters
    ----------
    supernode, layer
        What runs where.
    sizes
        Numbers of ranks, such as 64 and 320.
    **options
        As in `analyze_moe`, but for the ranks.

    Raises
    ------
    ScheduleError
        If a number is not between 1 and the machine's.
    """
    most, what = len(supernode.npus), f"moe: a number of ranks of {supernode.name}"
    given = border.ordered(sizes, "moe: numbers of ranks", ScheduleError)
    counts = sorted({border.whole(n, what, most=most, error=ScheduleError) for n in given})
    if not counts:
        raise ScheduleError("moe: give one number of ranks or more")
    found = (analyze_moe(supernode, layer, ranks=range(count), **options) for count in counts)
    return Scaling(tuple(found))
