"""Trace a schedule whose transfers wait for links and chunks, from its own timing.

Every such transfer has a link to itself when it moves, so that timing is exact: there is nothing
to share.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse

from collectives.model.schedule import IntArray, Schedule
from collectives.timing.pipelined import Pipelined, Timeline
from collectives.timing.program import Part, Program, pattern_of
from collectives.timing.trace import Leg, Record, Trace
from topology.fabric import FloatArray
from topology.routing.streams import Streams, streams_on_links


def chunked(engine: Pipelined, part: Part) -> Trace:
    """Return when every transfer started, left and arrived; its steps are turns.

    Parameters
    ----------
    engine
        The schedule on its links.
    part
        The same, as what a simulation runs.
    """
    line, fabric, schedule = engine.run(part.size), engine.fabric, engine.schedule
    src, dst = (
        np.concatenate([np.zeros(0, dtype=np.int64), *(getattr(slot, name) // of
                        for slot in engine.slots)])
        for name, of in (("sender", 1), ("target", schedule.chunks))
    )  # fmt: skip
    count = len(line.arc)
    kinds, chunk = np.arange(count), schedule.chunk_fraction
    share = sparse.csc_array((np.ones(count), (line.arc, kinds)), shape=(len(fabric.tail), count))
    streams = streams_on_links(
        fabric, share, count=np.ones(count), amount=np.full(count, chunk),
        latency=fabric.latency[line.arc], senders=np.stack([kinds, part.ranks[src]]),
        receivers=np.stack([kinds, part.ranks[dst]]),
    )  # fmt: skip
    sent = line.begin + part.size * chunk / engine.rates[line.arc]
    patterns, records = [], []
    done, first = np.zeros(len(fabric.npus)), 0
    for turn, slot in enumerate(engine.slots):
        here = slice(first, first + len(slot.arc))
        senders, receivers = (
            np.stack([np.arange(len(slot.arc)), ends[1, here]])
            for ends in (streams.senders, streams.receivers)
        )
        each = np.ones(len(slot.arc))
        patterns.append(pattern_of(first, senders, receivers, each, len(done)))
        for ends in (senders, receivers):
            np.maximum.at(done, ends[1], line.arrival[here])
        times = line.begin[here], sent[here], line.arrival[here]
        records.append(Record(turn, *times, done.copy()))
        first = here.stop
    program = Program(
        fabric, (part,), streams.share, streams.count, streams.latency, streams.resources,
        streams.resources.capacity(fabric, engine.rates),
        np.full(count, part.size * chunk), tuple(patterns), np.arange(len(patterns)),
        np.zeros(len(patterns), dtype=np.int64), _steps(schedule), ((),) * len(patterns),
        np.full(len(patterns), -1), np.arange(len(done))[None], (),
    )  # fmt: skip
    legs = tuple(_legs(line, program, streams, sent)) if count else ()
    return Trace(program, tuple(records), legs=legs)


def _steps(schedule: Schedule) -> IntArray:
    """Return the position of each turn's step."""
    repeats = [step.repeat for step in schedule.steps]
    return np.repeat(np.arange(len(repeats)), repeats)


def _legs(line: Timeline, program: Program, streams: Streams, sent: FloatArray) -> list[Leg]:
    """Follow the last arrival back to the start, over chunks and links that were waited for."""
    starts = [pattern.first for pattern in program.patterns]
    ends = (streams.senders[1].tolist(), streams.receivers[1].tolist())
    at = int(np.argmax(line.arrival))
    legs = []
    while at >= 0:
        behind, held = int(line.behind[at]), int(line.held_by[at])
        if behind >= 0:
            before, ready = behind, float(sent[behind])
        else:
            before = held
            kept = line.begin if line.chained[at] else line.arrival
            ready = float(kept[held]) if held >= 0 else 0.0
        turn = int(np.searchsorted(starts, at, side="right")) - 1
        times = float(line.begin[at]), float(sent[at]), float(line.arrival[at])
        legs.append(
            Leg(0, turn, int(program.step[turn]), at, ends[0][at], ends[1][at], ready, *times,
                int(line.arc[at]), 1.0)
        )  # fmt: skip
        at = before
    return legs[::-1]
