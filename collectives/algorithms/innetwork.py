"""Collectives in which the switches add and copy.

References
----------
Graham et al., Scalable hierarchical aggregation protocol (SHArP), COMHPC 2016.
Klenk, Jiang, Thorson and Dennison, An in-network architecture for accelerating shared-memory
multiprocessor collectives, ISCA 2020; NVIDIA NCCL's NVLS and PTX's multimem instructions are its
product form.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np

from collectives.algorithms.compose import Steps
from collectives.algorithms.direct import direct_steps, one_shot_all_reduce
from collectives.algorithms.fan import direct_fan
from collectives.algorithms.halves import Half, Part, halves
from collectives.algorithms.registry import algorithm
from collectives.algorithms.segments import best_segments
from collectives.model.collective import collective
from collectives.model.schedule import (
    UNSTATED,
    DoesNotFitError,
    Schedule,
    Step,
    Team,
    Transfers,
    as_team,
    join,
)
from topology.errors import RoutingError
from topology.fabric import FloatArray
from topology.routing import InNetwork, in_network_trees
from topology.text import counted


# Switches that reduce what is pushed to them are a choice of machine: see below.
@algorithm("all_reduce", "sharp", candidate=False)
def sharp_all_reduce(team: Team | int) -> Schedule:
    """All-reduce in one step over an aggregation tree: α + S/B, up and down at once.

    The switches add what the ranks push and send the sum back to all, as InfiniBand's SHARP does;
    NVSwitch adds only what a rank asks for, see `nvls_all_reduce`.
    """
    made = _able(team, "sharp", adds=True, copies=True)
    steps = tuple(_helped(step, made.size, through=1.0) for step in one_shot_all_reduce(made).steps)
    return Schedule("sharp", collective("all_reduce"), made.size, 1, steps)


@algorithm("all_reduce", "nvls")
def nvls_all_reduce(team: Team | int, *, segments: int | None = None) -> Schedule:
    """All-reduce on NVLink switches: (m+1)α + (p+1)/p · S/B for many segments m (NVLS).

    Every rank asks the switches for the sum of its shard over all ranks, its own version
    included, and has them write it to all, while it asks for the sum of the next segment: each
    sends S and S/p, and receives as much.

    Parameters
    ----------
    team
        Who takes part.
    segments
        m; by default the best for the team's size S.
    """
    made = _able(team, "nvls", adds=True, copies=True)
    p = made.size
    ask, write = _shards(p, reduce=True), _shards(p, reduce=False)
    steps: Steps = ()
    m = 1
    if p > 1:
        full = InNetwork(np.arange(p), np.full(p, 1 / p), np.full(p, 1 / p))
        m = best_segments(made, 1, full, segments)
        share = 1 / (p * m)
        both = _helped(_segment(m, (ask[0], 1), (write[0], 0)), p, added=share, copied=share)
        steps = (
            _helped(_segment(m, (ask[0], 0)), p, added=share),
            *([replace(both, repeat=m - 1)] if m > 1 else []),
            _helped(_segment(m, (write[0], m - 1)), p, copied=share),
        )
    note = counted(m, "segment")
    sized = made.volume is not None and made.step_time is not None and segments is None
    return Schedule("nvls", collective("all_reduce"), p, p * m, steps, (note,), sized=sized)


@halves("nvls", "reduce_scatter", "all_gather")
def nvls(team: Team) -> Half:
    """Ask NVLink switches for sums, or have them write to all, in one step: α + S/B.

    In a reduce-scatter each rank sends S and receives S/p, in an all-gather the other way round.
    """

    def half(*, reduce: bool) -> Part:
        p = _able(team, "nvls", adds=reduce, copies=not reduce).size
        return Part(_shards(p, reduce=reduce), p)

    return half


def _shards(p: int, *, reduce: bool) -> Steps:
    return _one_way(direct_steps(p, reduce=reduce), p, 1 / p, reduce=reduce)


def _one_way(steps: Steps, p: int, share: float | FloatArray, *, reduce: bool) -> Steps:
    added, copied = (share, 0.0) if reduce else (0.0, share)
    return tuple(_helped(step, p, added=added, copied=copied) for step in steps)


def network_fan(kind: str, name: str, team: Team | int, *, root: int = 0) -> Schedule:
    """Broadcast in one step that the switches copy, or reduce in one that they add up: α + S/B."""
    reduce = kind == "reduce"
    plain = direct_fan(kind, _able(team, name, adds=reduce, copies=not reduce), root=root)
    only = (np.arange(plain.ranks) == root).astype(float)
    steps = _one_way(plain.steps, plain.ranks, only, reduce=reduce)
    return replace(plain, name=name, steps=steps)


for _kind, _name in (("broadcast", "multicast"), ("reduce", "aggregated")):
    algorithm(_kind, _name)(partial(network_fan, _kind, _name))


def _segment(m: int, *parts: tuple[Step, int]) -> Step:
    """Return steps at work together, each on one segment of m, the next one each repetition."""

    def transfers(t: int) -> Transfers:
        moved = [(step.transfers(0), first) for step, first in parts]
        return join([
            Transfers(one.src, one.dst, one.chunk * m + first + t, reduce=one.reduce)
            for one, first in moved
        ])  # fmt: skip

    return Step(transfers, UNSTATED, 1, " and ".join(step.phase for step, _ in parts))


def _helped(
    step: Step,
    p: int,
    *,
    added: float | FloatArray = 0.0,
    copied: float | FloatArray = 0.0,
    through: float = 0.0,
) -> Step:
    """Return a step whose transfers the switches add up or copy."""
    traffic = InNetwork(np.arange(p), np.full(p, added), np.full(p, copied), through)
    where = " in the network"
    return replace(step, traffic=traffic, phase=step.phase.removesuffix(where) + where)


def _able(team: Team | int, algorithm: str, *, adds: bool, copies: bool) -> Team:
    """Return a team whose switches can do it; raise `DoesNotFitError` if they cannot."""
    made = as_team(team)
    if made.supernode is None or made.ranks is None:
        raise DoesNotFitError(f"{algorithm} needs to know the machine: give it a team with one")
    try:
        in_network_trees(made.supernode.fabric, made.ranks, adds=adds, copies=copies)
    except RoutingError as error:
        raise DoesNotFitError(f"{algorithm} on {made.supernode.name}: {error}") from error
    return made
