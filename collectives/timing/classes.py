"""Find what must go alike in a simulation, and make one of it.

Messages, actors and resources are the nodes of a coloured graph: what they carry and wait for are
the arcs. Nodes of a class of an equitable partition have equally many arcs to each class, so at
any time that the classes tell apart nothing, nothing tells their members apart: all resources of a
class are equally full, hence all messages of a class have one max-min fair rate, and they start
once actors of the same classes have handed them over. This is exact, and coarser than any symmetry.

References
----------
Grohe, Kersting, Mladenov and Selman, Dimension reduction via colour refinement, ESA 2014.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy import sparse

from collectives.model.schedule import IntArray
from collectives.timing.program import Origin, Pattern, Program
from topology.fabric import FloatArray
from topology.routing.streams import Resources
from topology.symmetry import Coloured, codes, equitable_partition, is_equitable

_ROUNDING = 1e-12  # of a value, from the order in which its parts were added up
_MOST_ARCS = 30_000_000  # that are refined: some 3 GB


def in_classes(program: Program, *, ordered: bool = False) -> Program:
    """Return a program with one message, actor and resource of each class.

    Parameters
    ----------
    program
        What is carried out.
    ordered
        Whether it matters in which order a rank sends the messages of a turn.
    """
    if program.share.nnz > _MOST_ARCS or not len(program.bytes):
        return program
    graph = _drawn(program, ordered=ordered)
    found = equitable_partition(graph)
    classes = int(found.max(initial=-1)) + 1
    if classes == len(found) or not is_equitable(graph, found):
        return program
    return _joined(program, found)


def _drawn(program: Program, *, ordered: bool) -> Coloured:
    """Return messages, then resources, then actors, and who carries, sends and receives what."""
    messages, resources = program.share.shape[1], program.share.shape[0]
    pattern = np.repeat(np.arange(len(program.patterns)), [on.size for on in program.patterns])
    columns = (pattern, program.count, *map(_values, (program.bytes, program.latency)))
    colour = [codes(columns), _sorts(program), _roles(program)]
    carried = _values(program.share.data)
    tail = [np.repeat(np.arange(messages), np.diff(program.share.indptr))]
    head, arc = [messages + program.share.indices.astype(np.int64)], [carried + 1]
    base, most = messages + resources, int(carried.max(initial=0)) + 2
    for on in program.patterns:
        (sent, sender), (got, receiver) = on.senders, on.receivers
        tail += [on.first + sent, base + receiver]
        head += [base + sender, on.first + got]
        place = most + _places(sender) if ordered else np.zeros_like(sent)
        arc += [place, np.zeros_like(got)]
    first = np.cumsum([0, *(int(one.max(initial=-1)) + 1 for one in colour)])
    node = np.concatenate([one + at for one, at in zip(colour, first.tolist(), strict=False)])
    ends = np.concatenate(tail), np.concatenate(head)
    return Coloured(*ends, node, np.concatenate(arc), np.arange(len(node)))


def _values(values: FloatArray) -> IntArray:
    """Return a number for each value, the same for those that differ by rounding alone."""
    known, at = np.unique(values, return_inverse=True)
    with np.errstate(invalid="ignore"):  # infinite ones
        new = np.diff(known, prepend=np.nan) > _ROUNDING * np.abs(known)
    number: IntArray = np.cumsum(new)
    first = np.concatenate(([0], np.flatnonzero(new)))
    wide = known - known[first[number]] > 10 * _ROUNDING * np.abs(known)
    return (np.arange(len(known)) if wide.any() else number)[at.reshape(-1)]


def _sorts(program: Program) -> IntArray:
    """Return a number for each resource: of those that differ in capacity, or in what they are."""
    fabric, on = program.fabric, program.resources
    count = len(program.capacity)
    ends = np.full((2, count), "", dtype=object)  # what ranks send or receive in all has none
    labels = np.array(fabric.labels, dtype=object)
    ends[:, on.at] = labels[fabric.tail[on.arc]], labels[fabric.head[on.arc]]
    limited = np.flatnonzero(on.node_at >= 0)
    ends[0, on.node_at[limited]] = labels[limited]
    return codes([_values(program.capacity), *ends.astype(str)])


def _roles(program: Program) -> IntArray:
    """Return a number for each actor: of those that differ in part, or in how many ranks it is."""
    ranks = [*map(program.actors_of, range(len(program.parts))), program.actor.reshape(-1)]
    return codes([np.bincount(each, minlength=program.actors) for each in ranks])


def _places(sender: IntArray) -> IntArray:
    """Return the place of each entry among those of its sender."""
    order = np.argsort(sender, kind="stable")
    starts = np.searchsorted(sender[order], sender)
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    found: IntArray = place - starts
    return found


def _joined(program: Program, found: IntArray) -> Program:
    """Return a program with one of each class, the first of its members."""
    messages, resources = program.share.shape[1], program.share.shape[0]
    of = np.split(found, [messages, messages + resources])
    message, resource, actor = (one - one[:1] for one in of)
    chosen, row, who = (np.unique(one, return_index=True)[1] for one in (message, resource, actor))
    count = np.bincount(message, program.count).astype(float)
    whole = sparse.csr_array(
        (program.count, (np.arange(messages), message)), shape=(messages, len(chosen))
    )  # fmt: skip
    share = sparse.csr_array(program.share)[row] @ whole @ sparse.diags_array(1 / count)
    patterns = []
    for on in program.patterns:
        first = int(message[on.first]) if on.size else 0
        of_message = message[on.first : on.first + on.size] - first
        ends = [_once(of_message, actor, who, side) for side in (on.senders, on.receivers)]
        both = np.bincount(np.concatenate([side[1] for side in ends]), minlength=len(who))
        size = int(of_message.max(initial=-1)) + 1
        patterns.append(Pattern(first, size, ends[0], ends[1], on.messages[who], both))
    old = program.resources
    node_at = np.where(old.node_at < 0, -1, resource[old.node_at])
    fewer = int(resource[: old.size].max(initial=-1)) + 1
    return replace(
        program, share=sparse.csc_array(share), count=count, latency=program.latency[chosen],
        resources=Resources(old.arc, resource[old.at], old.part, node_at, fewer),
        capacity=program.capacity[row], bytes=program.bytes[chosen], patterns=tuple(patterns),
        actor=actor[program.actor], origin=Origin(program, message, actor),
    )  # fmt: skip


def _once(message: IntArray, actor: IntArray, who: IntArray, ends: IntArray) -> IntArray:
    """Return the ends of one actor of each class, in their order, messages of a class once.

    Parameters
    ----------
    message, actor
        Class of each message of a pattern, and of each actor.
    who
        One actor of each class.
    ends
        Message and actor of each end, shape (2, k).
    """
    sole = np.zeros(len(actor), dtype=bool)
    sole[who] = True
    mine = ends[:, sole[ends[1]]]
    pairs = np.stack([message[mine[0]], actor[mine[1]]])
    first = np.unique(pairs[0] * len(who) + pairs[1], return_index=True)[1]
    once: IntArray = pairs[:, np.sort(first)]
    return once
