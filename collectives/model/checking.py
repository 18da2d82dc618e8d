"""Check a schedule that someone gives: what it does, and that its traffic is what it does."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from collectives.model.chunk_state import check_transfers, name_of
from collectives.model.execution import verify
from collectives.model.schedule import IntArray, Schedule, ScheduleError, Step, Transfers
from collectives.model.traffic import merged, same_traffic
from topology.approximation import Approximation
from topology.fabric import BoolArray, distinct
from topology.routing import Demand, InNetwork, Pairs

_MOST_SECONDS = 1.0
_MOST_TRANSFERS = 5_000_000
_A_CALL = 500
"""Transfers that could be looked at in the time that a call of ``Step.transfers`` takes."""


def check_schedule(schedule: Schedule) -> tuple[Approximation, ...]:
    """Prove a schedule and its stated traffic, as far as that takes about a second.

    Parameters
    ----------
    schedule
        What to check.

    Returns
    -------
    tuple[Approximation, ...]
        What was not checked; empty where everything was.

    Raises
    ------
    ScheduleError
        If it does not carry out its collective, or its traffic is not what its transfers move.
    """
    missed = []
    if verification_seconds(schedule) <= _MOST_SECONDS:
        verify(schedule)
    else:
        missed.append("as given, too large to verify here; collectives.verify() can")
    missed += check_traffic(schedule, _MOST_TRANSFERS)
    return tuple(Approximation("schedule", why) for why in missed)


def check_traffic(schedule: Schedule, most: float = _MOST_TRANSFERS) -> tuple[str, ...]:
    """Raise `ScheduleError` if the traffic stated for a step is not that of its transfers.

    The first and the last repetition of every step are looked at first, then those between.

    Parameters
    ----------
    schedule
        What to check.
    most
        How many transfers to look at.

    Returns
    -------
    tuple[str, ...]
        What was left out, in words; empty where all was looked at.
    """
    left, missed = most, 0
    for number, repetition in _in_order(schedule):
        step = schedule.steps[number]
        count = _stated_count(step)
        if left < max(count, _A_CALL):  # an honest step has as many transfers at least
            missed += 1
            continue
        moved = step.transfers(repetition)
        left -= max(len(moved), count, _A_CALL)
        check_transfers(schedule, moved, number)
        right = _is_right(schedule, moved, step.traffic)
        if right is None:
            missed += 1
        elif not right:
            raise ScheduleError(
                f"{name_of(schedule)}: the traffic stated for steps[{number}] is not what its "
                f"transfers({repetition}) move; leave it out, and it is worked out"
            )
    if not missed:
        return ()
    return (f"stated traffic not checked in {missed} of {schedule.step_count} steps",)


def verification_seconds(schedule: Schedule) -> float:
    """Return roughly how long `verify` takes, in seconds."""
    kind = schedule.collective
    words = -(-schedule.ranks // 64) if kind.adds else 1
    sent = sum(step.repeat * _stated_count(step) for step in schedule.steps)
    if sent <= _MOST_TRANSFERS:
        sent = sum(step.repeat * len(step.transfers(0)) for step in schedule.steps)
    everyone = (kind.before, kind.after).count("everyone")
    held = schedule.chunks * (schedule.ranks if everyone else 1)
    return 3e-4 * schedule.step_count + (sent + held) * (4e-7 + 5e-8 * words)


def _stated_count(step: Step) -> int:
    """Return how many transfers a step has at least, if its stated traffic is right."""
    stated = step.traffic
    return len(stated.ends) ** 2 if stated.in_network else int(stated.messages().sum())


def _in_order(schedule: Schedule) -> Iterator[tuple[int, int]]:
    """Yield steps and repetitions: the ends of every step, then what is between."""
    for number, step in enumerate(schedule.steps):
        yield from ((number, t) for t in sorted({0, step.repeat - 1}))
    for number, step in enumerate(schedule.steps):
        yield from ((number, t) for t in range(1, step.repeat - 1))


def _is_right(schedule: Schedule, moved: Transfers, stated: Demand) -> bool | None:
    """Tell whether traffic is what transfers move; None where switches help with a part of it."""
    if isinstance(stated, InNetwork):
        return _is_in_network(schedule, moved, stated)
    if stated.in_network:
        return None
    said = merged([stated.pairs()])
    sent = (said.src != said.dst) & (said.amount > 0)
    found = Pairs(said.src[sent], said.dst[sent], said.amount[sent])
    return same_traffic(found, schedule.traffic(moved))


def _is_in_network(schedule: Schedule, moved: Transfers, stated: InNetwork) -> bool:
    """Tell whether switches can do some transfers: sums from all others, and copies to them.

    A chunk that every member adds up is either added for each, or added once and copied to all
    (``through``).
    """
    others = len(stated.members) - 1
    place = np.full(schedule.ranks, -1)
    place[stated.members] = np.arange(others + 1)
    src, dst = place[moved.src], place[moved.dst]
    once = distinct((src * (others + 1) + dst) * schedule.chunks + moved.chunk)
    if (np.minimum(src, dst) < 0).any() or len(once) < len(moved):
        return False
    sums = _whole(dst, moved.chunk, moved.adds, others)
    copies = _whole(src, moved.chunk, ~moved.adds, others)
    if sums is None or copies is None:
        return False
    size = schedule.chunk_fraction
    added, copied = (np.bincount(end, minlength=others + 1) * size for end, _ in (sums, copies))
    everywhere = size * int((np.unique(sums[1], return_counts=True)[1] > others).sum())
    return (
        np.allclose(stated.added + stated.through, added, rtol=1e-9, atol=0)
        and np.allclose(stated.copied, copied, rtol=1e-9, atol=0)
        and stated.through <= everywhere * (1 + 1e-9)
    )


def _whole(
    end: IntArray, chunk: IntArray, chosen: BoolArray, others: int
) -> tuple[IntArray, IntArray] | None:
    """Return the end and chunk of each set of transfers from, or to, all others; None if not."""
    pairs, count = np.unique(np.stack([end[chosen], chunk[chosen]]), axis=1, return_counts=True)
    return (pairs[0], pairs[1]) if (count == others).all() else None
