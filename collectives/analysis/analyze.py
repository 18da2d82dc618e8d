"""Answer how long a collective takes on a machine, and what limits it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from collectives.algorithms import candidate_names, find_algorithm
from collectives.analysis.bottleneck import (
    Bottleneck,
    LinkClass,
    busy_seconds,
    find_bottleneck,
    link_classes,
)
from collectives.analysis.tables import latency_table, links_table
from collectives.bounds import Bound, bound
from collectives.model.checking import check_schedule
from collectives.model.collective import Collective, collective
from collectives.model.schedule import (
    IntArray,
    Schedule,
    ScheduleError,
    Team,
    consecutive_groups,
)
from collectives.timing import Cost, Latency, Plan, plan
from topology import border, units
from topology.errors import SupernodeError
from topology.fabric import FloatArray
from topology.routing import Uniform, check_ranks
from topology.supernode import Supernode
from topology.text import Part, Table, plain

_MANY_RANKS = 4096


@dataclass(frozen=True, eq=False)
class Analysis:
    """How long a collective takes, what limits it, and what nothing could beat.

    Attributes
    ----------
    supernode, collective, size
        What was asked; the size in bytes.
    plan
        The schedule on its paths.
    cost
        Its time, step by step.
    bound
        The lower bound, with its certificate.
    assumptions
        What the numbers stand on.
    """

    supernode: Supernode
    collective: Collective
    size: float
    plan: Plan
    cost: Cost
    bound: Bound
    assumptions: tuple[str, ...]

    @property
    def algorithm(self) -> str:
        """Return the algorithm's name."""
        return self.plan.schedule.name

    @property
    def schedule(self) -> Schedule:
        """Return the schedule."""
        return self.plan.schedule

    @property
    def ranks(self) -> IntArray:
        """Return the ranks in their order, shape (p,)."""
        return self.plan.ranks

    @property
    def time(self) -> float:
        """Return seconds."""
        return self.cost.time

    @property
    def latency(self) -> Latency:
        """Return where the time goes."""
        return self.cost.latency

    @property
    def algbw(self) -> float:
        """Return size / time, bytes/s."""
        return self.size / self.time if self.time > 0 else float("inf")

    @property
    def busbw(self) -> float:
        """Return `algbw` times the collective's factor (nccl-tests)."""
        return self.algbw * self.collective.factor(len(self.ranks))

    @property
    def efficiency(self) -> float:
        """Return bound / estimate, 0 to 1: how near the time is to what nothing could beat."""
        return self.bound.time / self.time if self.time > 0 else 1.0

    @cached_property
    def busy(self) -> FloatArray:
        """Return seconds each arc is in use, shape (arcs,), in the order of the fabric."""
        return busy_seconds(self.supernode.fabric, self.cost)

    @cached_property
    def utilisation(self) -> FloatArray:
        """Return the share of the transfer time each arc is in use, shape (arcs,)."""
        whole = self.cost.transfer
        return self.busy / whole if whole > 0 else np.zeros_like(self.busy)

    @cached_property
    def links(self) -> tuple[LinkClass, ...]:
        """Return every class of links, the busiest first."""
        return link_classes(self.supernode.fabric, self.cost)

    @cached_property
    def bottleneck(self) -> Bottleneck:
        """Return what limits."""
        return find_bottleneck(self.collective.title, self.supernode.fabric, self.cost)

    @property
    def asked(self) -> str:
        """Return the question in words."""
        ranks, total = len(self.ranks), len(self.supernode.npus)
        return (
            f"{self.collective.title} of {units.format_size(self.size)} on "
            f"{ranks if ranks == total else f'{ranks} of {total}'} ranks of {self.supernode.name}, "
            f"{self.algorithm}"
        )

    def __str__(self) -> str:
        return plain(*self.parts())

    def parts(self) -> list[Part]:
        """Return what people read, the answer first: sentences and tables."""
        limit = self.bound
        facts = [
            ("time", units.format_time(self.time)),
            ("algbw", units.format_rate(self.algbw)),
            ("busbw", units.format_rate(self.busbw)),
            ("bound", f"{units.format_time(limit.time)}, {units.format_rate(limit.algbw)} algbw, "
                      f"by {limit.words}"),
            ("bound / estimate", units.format_percent(self.efficiency)),
        ]  # fmt: skip
        return [
            self.bottleneck.sentence,
            self.asked,
            Table("", ("", ""), facts),
            links_table(self.links),
            latency_table(self.latency),
            Table("assumptions", ("",), [(note,) for note in self.assumptions]),
        ]

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data, in SI units, for JSON."""
        limit = self.bound
        return {
            "system": self.supernode.name,
            "history": list(self.supernode.history),
            "collective": self.collective.name,
            "size_bytes": self.size,
            "size_means": self.collective.size,
            "algorithm": self.algorithm,
            "ranks": [int(rank) for rank in self.ranks],
            "time_s": self.time,
            "algbw_Bps": self.algbw,
            "busbw_Bps": self.busbw,
            "bound": {
                "time_s": limit.time,
                "algbw_Bps": limit.algbw,
                "busbw_Bps": limit.busbw,
                "words": limit.words,
            },
            "bound_over_estimate": self.efficiency,
            "bottleneck": asdict(self.bottleneck),
            "links": [asdict(row) for row in self.links],
            "latency_s": {**asdict(self.latency), "total": self.latency.total},
            "steps": [
                {"phase": step.phase, "repeat": step.repeat, "time_s": step.time}
                for step in self.cost.steps
            ],
            "assumptions": list(self.assumptions),
        }


def team_of(
    supernode: Supernode, ranks: npt.ArrayLike | None = None, group_size: int | None = None
) -> Team:
    """Return the team of some ranks, grouped by the node they are in.

    Parameters
    ----------
    supernode
        What they run on.
    ranks
        Who, in which order; by default all.
    group_size
        Consecutive positions per group, instead of the nodes' ``node`` attribute.
    """
    count = len(supernode.npus)
    chosen = check_ranks(np.arange(count) if ranks is None else ranks, count)
    if group_size is not None:
        groups: IntArray | None = consecutive_groups(len(chosen), group_size)
    else:
        groups = _groups(supernode, chosen)
    return Team(len(chosen), groups, supernode, chosen)


def _groups(supernode: Supernode, ranks: IntArray) -> IntArray | None:
    homes: dict[object, list[int]] = {}
    for position, rank in enumerate(ranks.tolist()):
        data = supernode.graph.nodes[supernode.npus[rank]]
        if "node" not in data:
            return None
        homes.setdefault(data["node"], []).append(position)
    if len({len(row) for row in homes.values()}) != 1:
        return None
    return np.array(list(homes.values()), dtype=np.int64)


def make_schedule(
    supernode: Supernode,
    kind: str,
    *,
    algorithm: str,
    ranks: npt.ArrayLike | None = None,
    group_size: int | None = None,
    size: float | str | None = None,
) -> Schedule:
    """Return an algorithm's schedule for a machine's ranks.

    Parameters
    ----------
    supernode
        The machine.
    kind
        The collective's name.
    algorithm
        One of `algorithm_names`.
    ranks, group_size
        See `team_of`.
    size
        S in bytes, or a string with a unit: a pipeline is then cut in the segments that are
        best for it, and in 16 otherwise.
    """
    amount = None if size is None else border.size(size, error=ScheduleError)
    team = replace(team_of(supernode, ranks, group_size), volume=amount)
    return find_algorithm(kind, algorithm)(team)


def analyze(
    supernode: Supernode,
    kind: str,
    size: float | str,
    *,
    algorithm: str | Schedule = "auto",
    routing: str = "ecmp",
    ranks: npt.ArrayLike | None = None,
    group_size: int | None = None,
    rate: str = "line",
    alpha: float | None = None,
    message: float | None = None,
) -> Analysis:
    """Analyse a collective on a machine: how long, how near the bound, and what limits it.

    Parameters
    ----------
    supernode
        The machine.
    kind
        The collective: "all_reduce", "all_to_all", "all_gather", "reduce_scatter".
    size
        S in bytes, or a string with a unit; what S means is in `Collective.size`.
    algorithm
        One of `algorithm_names`, a `Schedule`, or "auto" for the fastest.
    routing
        "ecmp".
    ranks
        Who takes part, and in which order; by default all NPUs.
    group_size
        Consecutive ranks to a group for two-level algorithms; by default the machine's nodes.
    rate
        "line", or "effective" for the rates software reaches.
    alpha, message
        Endpoint seconds per step and per message, instead of the devices' rows.

    Raises
    ------
    SupernodeError
        One clear message for anything that does not fit.
    """
    options: dict[str, Any] = {
        "algorithm": algorithm, "routing": routing, "ranks": ranks, "group_size": group_size,
        "rate": rate, "alpha": alpha, "message": message,
    }  # fmt: skip
    return analyze_sizes(supernode, kind, [size], **options)[0]


def analyze_sizes(
    supernode: Supernode,
    kind: str,
    sizes: Iterable[float | str],
    *,
    algorithm: str | Schedule = "auto",
    ranks: npt.ArrayLike | None = None,
    group_size: int | None = None,
    progress: Callable[[str, float], None] | None = None,
    **choices: Any,
) -> list[Analysis]:
    """Analyse a collective at several sizes, routing every schedule once.

    Takes what `analyze` takes, with ``sizes`` instead of one size, and returns an `Analysis` for
    each. ``progress`` is called with what is being routed and the fraction done.
    """
    wanted = collective(kind)
    if not isinstance(supernode, Supernode):
        raise SupernodeError(
            f"analyze needs a Supernode, not {type(supernode).__name__}; "
            "topology.from_networkx() makes one of a graph"
        )
    amounts = [border.size(size, error=ScheduleError) for size in sizes]
    team = team_of(supernode, ranks, group_size)
    checked = _checked(algorithm) if isinstance(algorithm, Schedule) else ()

    def route(schedule: Schedule) -> Plan:
        return plan(supernode, schedule, ranks=team.ranks, **choices)

    plans: list[Plan] = []
    limit: Bound | None = None
    found = []
    for amount in amounts:
        at = replace(team, volume=amount, alpha=choices.get("alpha"))
        if plans:
            again = [_again(wanted, algorithm, old, at) for old in plans]
            pairs = zip(plans, again, strict=True)
            plans = [route(schedule) if schedule else old for old, schedule in pairs]
        else:
            plans = []
            schedules = _schedules(wanted, algorithm, at)
            for done, schedule in enumerate(schedules):
                if progress is not None:
                    progress(f"{wanted.title} by {schedule.name}", done / len(schedules))
                plans.append(route(schedule))
        limit = limit or _limit(supernode, wanted, plans)
        tried = [candidate.schedule.name for candidate in plans]
        costs = [candidate.cost(amount) for candidate in plans]
        best = min(range(len(plans)), key=lambda i: costs[i].time)
        chosen, cost, size = plans[best], costs[best], float(amount)
        notes = (*assumptions_of(chosen, tried, auto=algorithm == "auto"), *checked)
        found.append(Analysis(supernode, wanted, size, chosen, cost, limit.at(size), notes))
    return found


def _limit(supernode: Supernode, wanted: Collective, plans: list[Plan]) -> Bound:
    """Return the bound that all plans keep, with the endpoint overheads they have."""
    first = plans[0]
    # Where steps overlap, or switches copy, messages are not counted one by one.
    uncounted = any(p.schedule.overlaps or p.schedule.helped for p in plans)
    message = 0.0 if uncounted else first.endpoint.message
    root, alpha = first.schedule.root, first.endpoint.alpha
    return bound(supernode, wanted, first.ranks, root=root, alpha=alpha, message=message)


def _checked(schedule: Schedule) -> tuple[str, ...]:
    """Verify a user's schedule, or say what was not verified."""
    found = check_schedule(schedule)
    return tuple(map(str, found)) or ("schedule: as given, verified",)


def _again(wanted: Collective, algorithm: str | Schedule, old: Plan, team: Team) -> Schedule | None:
    """Return an algorithm's schedule for another size; None if the size makes no difference."""
    if isinstance(algorithm, Schedule) or not old.schedule.sized:
        return None
    return find_algorithm(wanted.name, old.schedule.name)(team)


def _schedules(wanted: Collective, algorithm: str | Schedule, team: Team) -> list[Schedule]:
    if isinstance(algorithm, Schedule):
        if algorithm.collective.name != wanted.name:
            raise ScheduleError(
                f"schedule {algorithm.name!r} is for {algorithm.collective.title}, "
                f"not {wanted.title}"
            )
        return [algorithm]
    if algorithm != "auto":
        return [find_algorithm(wanted.name, algorithm)(team)]
    found = []
    for name in candidate_names(wanted.name):
        try:
            found.append(find_algorithm(wanted.name, name)(team))
        except ScheduleError:
            continue  # an algorithm that does not fit these ranks is not a candidate
    if not found:
        raise ScheduleError(f"no algorithm is known for {wanted.title}")
    return _affordable(found, team.size)


def _affordable(found: list[Schedule], ranks: int) -> list[Schedule]:
    """Return the schedules that can be routed in seconds, however many ranks there are."""
    if ranks <= _MANY_RANKS:
        return found
    even = [s for s in found if all(isinstance(step.traffic, Uniform) for step in s.steps)]
    return even or found


_ORDER = {
    False: "a step starts when the one before has ended",
    True: "a transfer starts when its link is free and its chunk is there",
}


def assumptions_of(chosen: Plan, tried: list[str], *, auto: bool) -> tuple[str, ...]:
    """Say what the numbers of a plan stand on.

    Parameters
    ----------
    chosen
        The plan.
    tried
        Names of all algorithms that were tried.
    auto
        Whether the fastest of them was wanted.
    """
    name = chosen.schedule.name
    picked = f"algorithm: {name}"
    if auto:
        others = [other for other in tried if other != name]
        picked += f", the fastest of {', '.join(tried)}" if others else ", the only one tried"
        if len(chosen.ranks) > _MANY_RANKS:
            picked += f"; above {_MANY_RANKS:,} ranks auto tries exchanges among all ranks only"
    endpoint = chosen.endpoint
    alpha, message = units.format_time(endpoint.alpha), units.format_time(endpoint.message)
    rate = {"line": "line rate, no protocol overhead", "effective": "effective rate of each link"}
    return (
        picked,
        "routing: ECMP sprayed per packet over all shortest paths, by capacity",
        f"rate: {rate[chosen.rate]}",
        f"forwarding: cut-through inside the network; {_ORDER[chosen.schedule.overlaps]}",
        f"endpoint: α {alpha} a step, {message} a message ({endpoint.source})",
    )
