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
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from collectives.algorithms.alltoall import uneven
from collectives.algorithms.compose import segmented
from collectives.algorithms.team import homes, team_of
from collectives.analysis import explain
from collectives.analysis.answer import Analysis, answer
from collectives.analysis.question import Job, ask
from collectives.bounds import PairsNeed, TokenNeed
from collectives.model.schedule import Schedule, ScheduleError, Team, require_groups
from collectives.workloads.dedup import token_schedule
from collectives.workloads.moe_traffic import Copies, MoELayer, route_tokens
from topology import border, units
from topology.errors import unknown_name
from topology.fabric import FloatArray
from topology.supernode import Supernode
from topology.text import Part, Printed, Table, counted

DEDUPS = ("none", "rank", "node")
_CROWDED = 1.01
_SEGMENTS = 8  # in which tokens go on inside the node while others cross


@dataclass(frozen=True, eq=False, repr=False)
class MoEAnalysis(Printed):
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
                explain.shortly(found.bottleneck),
            )
            for phase, found in self.phases
        ]
        facts = [
            ("tokens a rank, top-k", f"{layer.tokens}, {layer.top_k}"),
            ("experts, a rank", f"{layer.experts}, {-(-layer.experts // self.ep)}"),
            ("a token's experts are on", f"{counted(float(copies.ranks_per_token), 'rank')}, "
                                         f"{counted(float(copies.nodes_per_token), 'node')}"),
            ("copies that leave the node", units.format_percent(copies.leaving)),
            ("busiest rank over mean", f"{copies.imbalance:.3g}"),
            ("sent once for every", {"none": "expert"}.get(self.dedup, self.dedup)),
        ]  # fmt: skip
        headers = ("", "time", "logical bandwidth", "a token", "of bound", "bottleneck")
        both = units.format_time(self.time)
        return [
            f"EP{self.ep} takes {both}, dispatch {rows[0][1]} and combine {rows[1][1]}: "
            f"{self.dispatch.bottleneck.sentence}",
            f"{layer.tokens} tokens of {layer.hidden} on each of {counted(self.ep, 'rank')} of "
            f"{self.dispatch.supernode.title}, {self.dispatch.algorithm}",
            Table("", headers, rows),
            Table("", ("", ""), facts),
            self.dispatch.assumption_table,
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


def analyze_moe(
    supernode: Supernode,
    layer: MoELayer,
    *,
    ranks: npt.ArrayLike | None = None,
    dedup: str = "none",
    algorithm: str | None = None,
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
        An all-to-all algorithm, or "auto"; by default "direct". "node" has its own.
    load, seed
        See `route_tokens`.
    group_size, **choices
        As in `analyze`.

    Raises
    ------
    SupernodeError
        One clear message for anything that does not fit.
    """
    if dedup not in DEDUPS:
        raise unknown_name("dedup", dedup, DEDUPS)
    team = team_of(supernode, ranks, group_size)
    if dedup == "node" and algorithm is not None:
        raise ScheduleError(f"dedup 'node' has its own schedule, not {algorithm!r}; leave it out")
    if dedup == "node":
        require_groups(team, "once to every node")
    copies = route_tokens(layer, homes(team), load=load, seed=seed)
    options: dict[str, Any] = {"dedup": dedup, "algorithm": algorithm or "direct", "drawn": seed}
    dispatch, combine = (
        answer(ask(supernode, [_job(supernode, team, copies, phase, **options)],
                   group_size=group_size, **choices))[0]
        for phase in ("dispatch", "combine")
    )  # fmt: skip
    return MoEAnalysis(layer, copies, dispatch, combine, dedup)


def _job(
    supernode: Supernode,
    team: Team,
    copies: Copies,
    phase: str,
    *,
    dedup: str,
    algorithm: str,
    drawn: int | None,
) -> Job:
    """Return a phase as a job: what is sent how, and what nothing can save."""
    ranks, size = np.asarray(team.ranks), copies.layer.logical_bytes(phase)
    how = "expected values" if drawn is None else f"drawn with seed {drawn}"
    said = f"tokens: {how}; logical bandwidth counts every token for every expert, local ones too"
    if dedup == "node":
        sent = segmented(token_schedule(copies, phase, require_groups(team, "node")), _SEGMENTS)
        share = copies.layer.token_bytes(phase) / size
        tokens = TokenNeed.of(
            supernode, ranks, copies.least.per_rank * share, copies.least.per_node * share,
            copies.home, back=phase == "combine",
        )  # fmt: skip
        return Job(
            "all_to_all", [ranks], size, sent, phase, needs=(tokens,),
            notes=(*sent.notes, said), trusted=True, approximations=copies.approximations(dedup),
        )  # fmt: skip
    matrix = copies.matrix(phase, dedup=dedup)
    need = PairsNeed.of(supernode, copies.least.matrix(phase, dedup=dedup) / size, ranks)
    note = "S is what a rank would send if every token went to each of its experts"

    def adapt(even: Schedule) -> Schedule:
        return at_size(uneven(even, matrix), matrix, size)

    return Job(
        "all_to_all", [ranks], size, algorithm, phase, adapt, (need,), (note, said),
        approximations=copies.approximations(dedup),
    )  # fmt: skip


def at_size(schedule: Schedule, matrix: FloatArray, size: float) -> Schedule:
    """Return an uneven schedule with S as given, instead of what is really sent."""
    ratio = matrix.sum() / len(matrix) / size
    steps = tuple(replace(step, traffic=step.traffic.scaled(ratio)) for step in schedule.steps)
    return replace(schedule, steps=steps)


@dataclass(frozen=True, eq=False, repr=False)
class Scaling(Printed):
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
                explain.shortly(found.dispatch.bottleneck),
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
        machine = first.dispatch.supernode.title
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
            last.dispatch.assumption_table,
        ]

    def _moved(self) -> str:
        """Say whether the bottleneck moved."""
        ends = [found.dispatch.bottleneck for found in (self.steps[0], self.steps[-1])]
        first, last = (explain.shortly(end) for end in ends)
        crowd = self.steps[-1].copies.imbalance
        why = f", as the busiest rank gets {crowd:.3g} times the mean" if crowd > _CROWDED else ""
        if ends[0].key != ends[1].key:
            return f"the bottleneck moves from {first} to {last}{why}"
        next_up = ends[1]
        then = (
            f", the {next_up.runner_up} at {units.format_percent(next_up.runner_up_utilisation)}"
            if next_up.runner_up
            else ""
        )
        return f"the bottleneck stays {last}{then}{why}"

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data, in SI units, for JSON."""
        return {"scaling": [found.to_dict() for found in self.steps]}


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
