"""Say who sends which chunks to whom, step by step, whatever the network.

A schedule is for p positions, 0 to p - 1; which NPU stands at which position is decided when it
is costed. Data is cut into equal chunks. A step that repeats one pattern, as a ring does, is
one `Step` with a count, and its chunks are generated when asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import NamedTuple, TypeAlias

import numpy as np

from collectives.model.collective import Collective
from collectives.model.errors import DoesNotFitError as DoesNotFitError
from collectives.model.errors import ScheduleError as ScheduleError
from collectives.model.traffic import same_traffic
from collectives.model.transfers import BoolArray as BoolArray
from collectives.model.transfers import IntArray as IntArray
from collectives.model.transfers import Transfers as Transfers
from collectives.model.transfers import join as join
from topology import border
from topology.errors import RoutingError
from topology.fabric import FloatArray
from topology.routing import Demand, Pairs, Uniform
from topology.supernode import Supernode
from topology.text import Part, Printed, Table, counted

Progress: TypeAlias = Callable[[str, float], object]
"""Called during long work with what is being done and the fraction done."""

_ROUNDING = 1e-14
_MOST_CHUNKS = 2**62

UNSTATED = Pairs(np.array([], dtype=np.int64), np.array([], dtype=np.int64), np.array([]))


@dataclass(frozen=True, eq=False, repr=False)
class Step(Printed):
    """One communication step, or several with the same pattern.

    Attributes
    ----------
    transfers
        Returns what moves in repetition t, 0 to repeat - 1.
    traffic
        How much each position sends to each other, as a fraction of the size S; the same in
        every repetition. Where it is not stated, the schedule works it out from the transfers.
    repeat
        How many times.
    phase
        A word for tables: "reduce-scatter in the node".
    after
        Positions of the earlier steps that must have ended first; None for the step before.
    channel
        Steps on one channel send in order: a rank's messages leave once those of the channel's
        step before have left. None for a step that waits for no channel.
    """

    transfers: Callable[[int], Transfers]
    traffic: Demand = UNSTATED
    repeat: int = 1
    phase: str = ""
    after: tuple[int, ...] | None = None
    channel: int | None = None

    def __post_init__(self) -> None:
        border.whole(self.repeat, f"step {self.phase!r}: repeat", error=ScheduleError)
        if not callable(self.transfers) or not isinstance(self.traffic, Demand):
            raise ScheduleError(
                f"step {self.phase!r}: transfers must be a function of the repetition, and traffic "
                f"a demand such as Pairs, not {type(self.transfers).__name__} and "
                f"{type(self.traffic).__name__}"
            )

    def parts(self) -> list[Part]:
        """Return what it is for, how often, and how many messages a rank sends."""
        often = f", {self.repeat:,} times" if self.repeat > 1 else ""
        return [
            f"{self.phase or 'step'}: {counted(self.messages, 'message')} a rank at most{often}"
        ]

    @cached_property
    def messages(self) -> int:
        """The most messages any position sends in one repetition."""
        return int(self.traffic.messages().max(initial=0))


@dataclass(frozen=True, eq=False, repr=False)
class Schedule(Printed):
    """Steps that carry out a collective.

    Attributes
    ----------
    name
        The algorithm's name.
    collective
        What it carries out.
    ranks
        How many positions, p.
    chunks
        Into how many equal chunks the data is cut: the vector of an all-reduce, all-gather or
        reduce-scatter; for all-to-all p * p blocks.
    steps
        In order; a step starts when those it comes after have ended everywhere: the one before,
        unless it names others.
    notes
        What a reader should know.
    root
        The root's position, in a broadcast, reduce, gather or scatter.
    overlaps
        Whether a transfer starts as soon as its link is free and its chunk is there, without
        waiting for the rest of the step before. The steps then give the order on each link; every
        transfer is between neighbours, and a step uses each link once at most.
    sized
        Whether it was made for one size S, as pipelines are.
    block_sizes
        Size of each block of an all-to-all-v as a fraction of S, shape (p, p), row = sender;
        None where all chunks are of one size.
    """

    name: str
    collective: Collective
    ranks: int
    chunks: int
    steps: tuple[Step, ...]
    notes: tuple[str, ...] = field(default=())
    root: int = 0
    overlaps: bool = False
    sized: bool = False
    block_sizes: FloatArray | None = None

    def __post_init__(self) -> None:
        where = f"schedule {self.name!r}"
        for name, least, most in (
            ("ranks", 1, _MOST_CHUNKS), ("chunks", 1, _MOST_CHUNKS), ("root", 0, self.ranks - 1)
        ):  # fmt: skip
            given = getattr(self, name)
            whole = border.whole(
                given, f"{where}: {name}", least=least, most=most, error=ScheduleError
            )
            object.__setattr__(self, name, whole)
        for number, step in enumerate(self.steps):
            for other in step.after or ():
                what = f"{where}, steps[{number}]: after"
                border.whole(other, what, least=0, most=number - 1, error=ScheduleError)
        if any(step.traffic is UNSTATED for step in self.steps):
            object.__setattr__(self, "steps", _stated(self))
        for number, step in enumerate(self.steps):
            try:
                step.traffic.checked(self.ranks)
            except RoutingError as error:
                raise ScheduleError(f"{where}, steps[{number}]: {error}") from error

    @property
    def lockstep(self) -> bool:
        """Whether every step just waits for the one before."""
        return self.order == "step"

    @property
    def order(self) -> str:
        """What transfers wait for: the "step" before, the "needed" steps, or just their "chunk"."""
        if self.overlaps:
            return "chunk"
        free = any(step.after is not None or step.channel is not None for step in self.steps)
        return "needed" if free else "step"

    def waits_for(self, number: int) -> tuple[int, ...]:
        """Return the positions of the steps that must have ended before a step starts."""
        after = self.steps[number].after
        return tuple(range(number))[-1:] if after is None else after

    @property
    def step_count(self) -> int:
        """How many steps there are, repetitions counted."""
        return sum(step.repeat for step in self.steps)

    @property
    def helped(self) -> bool:
        """Whether switches add up or copy on the way."""
        return any(step.traffic.in_network for step in self.steps)

    def traffic(self, moved: Transfers) -> Pairs:
        """Return what positions send each other in some transfers, as a fraction of S."""
        if self.block_sizes is None:
            return traffic_of(moved, self.chunk_fraction)
        pieces = max(1, self.chunks // self.ranks**2)
        return traffic_of(moved, self.block_sizes.reshape(-1)[moved.chunk // pieces] / pieces)

    @property
    def chunk_fraction(self) -> float:
        """Return the mean size of a chunk as a fraction of the size S."""
        blocks = self.ranks if self.collective.name == "all_to_all" else 1
        return blocks / self.chunks

    def transfers(self) -> Iterator[Transfers]:
        """Yield what moves, step by step."""
        for step in self.steps:
            for t in range(step.repeat):
                yield step.transfers(t)

    def parts(self) -> list[Part]:
        """Return what it carries out in how many steps, its notes, and a row for each phase."""
        counts = counted(self.ranks, "rank"), counted(self.step_count, "step")
        first = f"{self.collective.title} {self.name}: {', '.join(counts)}"
        phases: dict[str, tuple[int, FloatArray]] = {}
        for step in self.steps:
            done, sent = phases.get(step.phase, (0, np.zeros(self.ranks)))
            sent = sent + step.repeat * step.traffic.ports(self.ranks)[0]
            phases[step.phase] = (done + step.repeat, sent)
        rows = [
            (phase, f"{steps:,}", f"{float(sent.max()):.4g} S")
            for phase, (steps, sent) in phases.items()
        ]
        table = Table("", ("phase", "steps", "most that a rank sends"), rows)
        return [first, *self.notes, *([table] if rows else [])]


def traffic_of(transfers: Transfers, size: float | FloatArray) -> Pairs:
    """Return how much each position sends to each other; negative positions are refused.

    Parameters
    ----------
    transfers
        What moves.
    size
        Size of a chunk as a fraction of S: of all, or of each transfer's, shape (k,).
    """
    lowest = min(transfers.src.min(initial=0), transfers.dst.min(initial=0))
    if lowest < 0:
        raise ScheduleError(f"transfers: there is no rank {lowest}; ranks start at 0")
    width = int(max(transfers.src.max(initial=0), transfers.dst.max(initial=0))) + 1
    keys = transfers.src * width + transfers.dst
    if np.ndim(size):
        key, at = np.unique(keys, return_inverse=True)
        amount = np.bincount(at.reshape(-1), size, minlength=len(key)).astype(float)
    else:
        key, count = np.unique(keys, return_counts=True)
        amount = count * size
    sent = amount > 0  # a message of no bytes is not sent
    return Pairs(key[sent] // width, key[sent] % width, amount[sent])


def _stated(schedule: Schedule) -> tuple[Step, ...]:
    """Return a schedule's steps with traffic: one for each run of repetitions with the same."""
    found: list[Step] = []
    last: list[int] = []  # where the last run of each given step is
    for step in schedule.steps:
        for run, part in enumerate(_with_traffic(schedule, step)):
            named = step.after is not None and run == 0
            after = tuple(last[i] for i in step.after or ()) if named else None
            found.append(replace(part, after=after))
        last.append(len(found) - 1)
    return tuple(found)


def _with_traffic(schedule: Schedule, step: Step) -> Iterator[Step]:
    """Yield a step as steps with traffic: one for each run of repetitions with the same."""
    if step.traffic is not UNSTATED:
        yield step
        return
    lo, held = 0, UNSTATED
    for t in range(step.repeat + 1):
        found = schedule.traffic(step.transfers(t)) if t < step.repeat else UNSTATED
        if t == 0 or (t < step.repeat and same_traffic(held, found)):
            held = held if t else found
            continue
        traffic = _as_uniform(held, schedule.ranks)
        yield replace(step, transfers=_from(step.transfers, lo), traffic=traffic, repeat=t - lo)
        lo, held = t, found


def _as_uniform(traffic: Pairs, ranks: int) -> Demand:
    """Return traffic as uniform where every pair sends the same: it is routed faster."""
    sent = traffic.amount
    if 0 < ranks * (ranks - 1) == len(sent) and np.ptp(sent) <= _ROUNDING * sent.max():
        return Uniform(np.arange(ranks), float(sent.mean()))
    return traffic


def _from(transfers: Callable[[int], Transfers], first: int) -> Callable[[int], Transfers]:
    return transfers if first == 0 else lambda t: transfers(first + t)


class StepTime(NamedTuple):
    """What a step takes.

    Attributes
    ----------
    empty
        Seconds it takes without data.
    messages
        Seconds of these that a rank's software is busy with its messages.
    busy
        Seconds per byte of S that each link and switch is busy, shape (links and switches,).
    """

    empty: float
    messages: float
    busy: FloatArray

    @property
    def per_byte(self) -> float:
        """Return seconds per byte of S of the busiest."""
        return float(self.busy.max(initial=0.0))


@dataclass(frozen=True, eq=False)
class Team:
    """The ranks that take part, as an algorithm sees them.

    Attributes
    ----------
    size
        How many, p.
    groups
        Positions that are near each other (in one node), a row for each node, which may differ
        in length; None where nodes are not known.
    supernode
        What they run on, if the algorithm wants to know.
    ranks
        Rank of each position, shape (p,).
    volume
        The size S in bytes, where it is known: pipelines choose their segments by it.
    step_time
        Returns what a step with some traffic takes, as the machine routes it; where that is known.
    """

    size: int
    groups: Sequence[IntArray] | IntArray | None = None
    supernode: Supernode | None = None
    ranks: IntArray | None = None
    volume: float | None = None
    step_time: Callable[[Demand], StepTime] | None = None

    def __post_init__(self) -> None:
        if self.size < 1:
            raise ScheduleError(f"a collective needs 1 rank or more, not {self.size}")


def as_team(team: Team | int) -> Team:
    """Return a team from itself or from a number of ranks."""
    return team if isinstance(team, Team) else Team(team)


def require_groups(team: Team, algorithm: str) -> IntArray:
    """Return the team's groups, shape (m, g); raise `DoesNotFitError` if they are not equal."""
    rows = team.groups if team.groups is not None else ()
    sizes = sorted({len(row) for row in rows})
    if len(sizes) != 1:
        raise DoesNotFitError(
            f"{algorithm} needs ranks in groups of equal size (the NPUs of a node); these "
            f"{team.size} ranks have {f'groups of {sizes[0]} to {sizes[-1]}' if sizes else 'none'}"
            ": give group_size=, or nodes a 'node' attribute"
        )
    return np.array(rows, dtype=np.int64)


def consecutive_groups(size: int, group_size: int) -> IntArray:
    """Return positions in rows of ``group_size``; raise `ScheduleError` if it does not divide."""
    if size % border.whole(group_size, "group_size", error=ScheduleError):
        raise ScheduleError(
            f"group_size is {group_size}; it must divide the number of ranks, {size}"
        )
    return np.arange(size).reshape(-1, group_size)


def permutation(src: Sequence[int] | IntArray, dst: IntArray, fraction: float) -> Pairs:
    """Return traffic in which src[i] sends a fraction of S to dst[i]."""
    ends = np.asarray(src, dtype=np.int64)
    return Pairs(ends, np.asarray(dst, dtype=np.int64), np.full(len(ends), fraction))
