"""Make steps from steps: reversed, on other positions, several at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from collectives.model.buffers import layout
from collectives.model.schedule import IntArray, Schedule, Step, Transfers, join, traffic_of
from collectives.model.traffic import merged
from topology.routing import Demand, InNetwork, Uniform, add_demands
from topology.text import counted

Steps = tuple[Step, ...]


def reverse(steps: Steps, phase: str = "reduce-scatter", *, reduce: bool = True) -> Steps:
    """Return steps run backwards, adding: an all-gather becomes a reduce-scatter.

    If every rank receives every chunk once, the transfers of a chunk form a tree from its owner;
    backwards, adding, they sum it up at its owner. So does a broadcast become a reduce.

    Parameters
    ----------
    steps
        Any.
    phase
        A word for tables.
    reduce
        Whether they add; copying, a scatter becomes a gather.
    """

    def back(step: Step) -> Step:
        def transfers(t: int) -> Transfers:
            moved = step.transfers(step.repeat - 1 - t)
            return Transfers(moved.dst, moved.src, moved.chunk, reduce=reduce)

        return Step(transfers, step.traffic.reversed(), step.repeat, phase)

    return tuple(map(back, reversed(steps)))


def relabelled(steps: Steps, positions: IntArray, piece: int = 0) -> Steps:
    """Return steps with position i at ``positions[i]``.

    Parameters
    ----------
    steps
        Steps among positions 0, 1, ...
    positions
        Where each goes, shape (p,).
    piece
        Chunks in a shard, where chunks belong to positions and move with them; 0 where they
        do not.
    """
    return tuple(_relabelled_step(step, positions, piece) for step in steps)


def _relabelled_step(step: Step, positions: IntArray, piece: int) -> Step:
    def transfers(t: int) -> Transfers:
        moved = step.transfers(t)
        chunk = moved.chunk
        if piece:
            chunk = positions[chunk // piece] * piece + chunk % piece
        return Transfers(positions[moved.src], positions[moved.dst], chunk, reduce=moved.reduce)

    return replace(step, transfers=transfers, traffic=step.traffic.placed(positions))


def finer(steps: Steps, times: int, *, apart: bool = False) -> Steps:
    """Return steps on chunks that are cut in ``times`` each.

    Parameters
    ----------
    steps
        Any.
    times
        Chunks in place of each.
    apart
        Whether these move one after the other, in a step each, instead of together.
    """
    if times == 1:
        return steps

    def cut(step: Step) -> Step:
        def transfers(t: int) -> Transfers:
            moved = step.transfers(t // times if apart else t)
            pieces = np.array([t % times]) if apart else np.arange(times)
            chunk = (moved.chunk[:, None] * times + pieces).reshape(-1)
            each = np.repeat(np.arange(len(moved)), len(pieces))
            return Transfers(moved.src[each], moved.dst[each], chunk, reduce=moved.adds[each])

        if apart:
            whole = step.repeat * times
            return Step(transfers, step.traffic.scaled(1 / times), whole, step.phase)
        return replace(step, transfers=transfers)

    return tuple(cut(step) for step in steps)


def in_parallel(copies: Sequence[Steps], chunks: int, shards: int = 1) -> Steps:
    """Return copies of a collective run side by side, each on its part of the data.

    Step i of every copy is in step i of the whole; a copy with fewer steps ends sooner.

    Parameters
    ----------
    copies
        The steps of each, for the same ranks and number of chunks.
    chunks
        Chunks of one copy. The whole has ``len(copies)`` times as many.
    shards
        Shards that the chunks fall into: every copy gets a part of each.
    """
    piece, count = chunks // shards, len(copies)
    if count == 1:
        return copies[0]
    return together([_part_of(steps, i, piece, count) for i, steps in enumerate(copies)])


def _part_of(steps: Steps, copy: int, piece: int, count: int) -> Steps:
    return tuple(
        replace(step, transfers=_side_by_side([(copy, step, 0)], piece, count),
                traffic=step.traffic.scaled(1 / count))
        for step in steps
    )  # fmt: skip


def together(parts: Sequence[Steps]) -> Steps:
    """Return steps that go together: step i of every part is in step i of the whole.

    Parameters
    ----------
    parts
        The steps of each, on the same ranks and chunks; one with fewer steps ends sooner.
    """
    ends = sorted({end for steps in parts for end in _ends(steps)})
    found = []
    for lo, hi in zip([0, *ends], ends, strict=False):
        active = [at for steps in parts if (at := _at(steps, lo))]
        traffic = _at_once([step.traffic for step, _ in active])
        phases = dict.fromkeys(step.phase for step, _ in active)
        found.append(Step(_joined(active), traffic, hi - lo, " and ".join(phases)))
    return tuple(found)


def _joined(active: Sequence[tuple[Step, int]]) -> Callable[[int], Transfers]:
    return lambda t: join([step.transfers(first + t) for step, first in active])


def mapped(
    steps: Steps, positions: IntArray, table: Sequence[IntArray] | IntArray, total: int
) -> Steps:
    """Return steps with position i at ``positions[i]`` and, for chunk c, all of ``table[c]``.

    Parameters
    ----------
    steps
        Any; where entries of the table differ in length, chunks belong to positions.
    positions
        Where each goes, shape (p,).
    table
        Chunks that each stands for.
    total
        How many chunks there are where they go.
    """
    count = np.array([len(chunks) for chunks in table])
    start, flat = np.cumsum(count) - count, np.concatenate(table)
    even = not len(count) or np.ptp(count) == 0

    def moving(step: Step, first: int) -> Callable[[int], Transfers]:
        def transfers(t: int) -> Transfers:
            moved = step.transfers(first + t)
            often = count[moved.chunk]
            each = np.repeat(np.arange(len(moved)), often)
            place = np.arange(len(each)) - np.repeat(np.cumsum(often) - often, often)
            chunk = flat[start[moved.chunk[each]] + place]
            src, dst = positions[moved.src[each]], positions[moved.dst[each]]
            return Transfers(src, dst, chunk, reduce=moved.adds[each])

        return transfers

    def cut(step: Step) -> Steps:
        if even or step.traffic.in_network:
            traffic = step.traffic if even else _weighted(step.traffic, count)
            placed = traffic.placed(positions).scaled(len(flat) / total)
            return (replace(step, transfers=moving(step, 0), traffic=placed),)
        each = [moving(step, t) for t in range(step.repeat)]
        return tuple(
            replace(step, transfers=one, traffic=traffic_of(one(0), 1 / total), repeat=1)
            for one in each
        )

    return tuple(one for step in steps for one in cut(step))


def _weighted(traffic: Demand, count: IntArray) -> Demand:
    """Return what switches add up for each rank, or copy from it, by how many chunks it has."""
    if not isinstance(traffic, InNetwork):
        return traffic
    each = count.reshape(len(traffic.members), -1).sum(axis=1)
    weight = each[traffic.members] / each.mean()
    return replace(traffic, added=traffic.added * weight, copied=traffic.copied * weight)


def segmented(schedule: Schedule, segments: int) -> Schedule:
    """Return a schedule that takes its data through its steps a segment at a time.

    A segment goes on to the next step while the one behind it takes this one: a step waits for
    what it needs of its own segment, and sends after the same step of the segment before.

    Parameters
    ----------
    schedule
        In steps, of which none overlap.
    segments
        How many equal parts of the data; 1 leaves the schedule as it is.

    References
    ----------
    Steps that overlap thus are how NCCL's chunks go round, and what makes a two-level all-reduce
    as fast as its slower level: Cho et al., BlueConnect, SysML 2019.
    """
    if segments == 1:
        return schedule
    piece, count = layout(schedule)[1], len(schedule.steps)
    part = {id(step.traffic): step.traffic.scaled(1 / segments) for step in schedule.steps}
    steps = []
    for segment in range(segments):
        for number, step in enumerate(schedule.steps):
            waits = tuple(segment * count + other for other in schedule.waits_for(number))
            transfers = _side_by_side([(segment, step, 0)], piece, segments)
            channel = number if step.channel is None else step.channel
            traffic = part[id(step.traffic)]
            steps.append(Step(transfers, traffic, step.repeat, step.phase, waits, channel))
    notes = (*schedule.notes, counted(segments, "segment"))
    return replace(schedule, chunks=schedule.chunks * segments, steps=tuple(steps), notes=notes)


def side_by_side(copies: Sequence[Steps], counts: Sequence[int], chunks: int, shards: int) -> Steps:
    """Return copies of a collective, each in its own order, on so many equal parts of the data.

    Unlike in `in_parallel` no copy waits for another.

    Parameters
    ----------
    copies
        The steps of each, in lockstep.
    counts
        How many of all parts each takes.
    chunks, shards
        As in `in_parallel`; the whole has ``sum(counts)`` times as many chunks.
    """
    found: list[Step] = []
    taken = 0
    for steps, count in zip(copies, counts, strict=True):
        first = len(found)
        for number, step in enumerate(steps if count else ()):
            parts = [(i, step, 0) for i in range(taken, taken + count)]
            transfers = _side_by_side(parts, chunks // shards, sum(counts))
            after = (first + number - 1,) if number else ()
            traffic = step.traffic.scaled(count / sum(counts))
            found.append(Step(transfers, traffic, step.repeat, step.phase, after))
        taken += count
    return tuple(found)


def _at_once(parts: Sequence[Demand]) -> Demand:
    """Return traffics as one, each ordered pair once; of equal sets as those sets."""
    sets = [part.sets if isinstance(part, Uniform) else None for part in parts]
    first = sets[0]
    if first is not None and all(s is not None and np.array_equal(s, first) for s in sets):
        return Uniform(first, sum(part.amount for part in parts if isinstance(part, Uniform)))
    if any(part.in_network for part in parts):
        return add_demands(parts)
    return merged([part.pairs() for part in parts])


def _side_by_side(
    active: Sequence[tuple[int, Step, int]], piece: int, count: int
) -> Callable[[int], Transfers]:
    def transfers(t: int) -> Transfers:
        parts = []
        for copy, step, first in active:
            moved = step.transfers(first + t)
            shard, rest = np.divmod(moved.chunk, piece)
            chunk = (shard * count + copy) * piece + rest
            parts.append(Transfers(moved.src, moved.dst, chunk, reduce=moved.reduce))
        return join(parts)

    return transfers


def _ends(steps: Steps) -> Iterator[int]:
    total = 0
    for step in steps:
        total += step.repeat
        yield total


def _at(steps: Steps, index: int) -> tuple[Step, int] | None:
    """Return the step at an index, repetitions counted, and which repetition it is."""
    for step, end in zip(steps, _ends(steps), strict=True):
        if index < end:
            return step, index - (end - step.repeat)
    return None


def runs(src: IntArray, dst: IntArray, first: IntArray, width: int, *, reduce: bool) -> Transfers:
    """Return transfers of a run of chunks each: from src[i] to dst[i], ``width`` from first[i]."""
    chunk = (first[:, None] + np.arange(width)).reshape(-1)
    return Transfers(np.repeat(src, width), np.repeat(dst, width), chunk, reduce=reduce)
