"""Collectives in levels on groups that differ: in size, or in which members reach other groups.

The data is cut into columns. A column crosses between groups by one member of each, its gate: the
member on the column's rail or, where a group has none there, each of its gates in turn. Inside a
group, a member owns the columns it is the gate of, so that it may own several, or none.

Where one group has fewer gates than others, it need not sum: as a leaf it sends a column away and
gets it back, S each way, where one at the core sends and receives 2(o-1)/o · S besides what o
members send their leaves. Which groups are leaves is what keeps the busiest gate least busy.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from math import gcd, lcm
from typing import NamedTuple

import numpy as np

from collectives.algorithms.compose import Steps, mapped, together
from collectives.algorithms.rails import Rails, rail_places
from collectives.algorithms.registry import find_algorithm
from collectives.model.schedule import (
    DoesNotFitError,
    IntArray,
    Schedule,
    Step,
    Team,
    Transfers,
    traffic_of,
)

_MOST_PIECES = 16
_FEWER = 1 - 1e-9


@dataclass(frozen=True, eq=False)
class Columns:
    """Which member of each group is the gate of each column.

    Attributes
    ----------
    rows
        Positions of each group.
    gates
        Position for each group and column, shape (m, columns).
    pieces
        Columns for each place in the largest group: column c is piece c % pieces of place
        c // pieces.
    """

    rows: Sequence[IntArray]
    gates: IntArray
    pieces: int

    @property
    def regular(self) -> bool:
        """Whether all groups are of one size, and each member is the gate of its own column."""
        sizes = {len(row) for row in self.rows}
        return len(sizes) == 1 and np.array_equal(self.gates, np.array(self.rows))


def columns_of(team: Team, name: str) -> Columns:
    """Return the columns of a team's domains, or of its groups where these are no nearer.

    Parameters
    ----------
    team
        Who takes part.
    name
        Of the algorithm.

    Raises
    ------
    DoesNotFitError
        If there are no groups, or no network joins all of them.
    """
    rails = rail_places(team)
    if rails is None:
        if team.groups is None or not len(team.groups):
            raise DoesNotFitError(
                f"{name} needs ranks in groups (the NPUs of a node); these {team.size} ranks have "
                "none: give group_size=, or nodes a 'node' attribute"
            )
        rows = [np.asarray(row) for row in team.groups]
        rails = Rails(rows, min(map(len, rows)), np.zeros(team.size, dtype=np.int64))
    rows, networks = rails.rows, rails.networks
    common = set.intersection(*(set(networks[row].tolist()) - {-1} for row in rows))
    if not common:
        raise DoesNotFitError(f"{name} needs a network that reaches all {len(rows)} groups")
    return _cut(rows, networks, sorted(common))


def _cut(rows: Sequence[IntArray], networks: IntArray, common: Sequence[int]) -> Columns:
    count, widest = len(rows), max(map(len, rows))
    own = np.full((count, widest), -1)  # the gate of a place where that is its member
    for i, row in enumerate(rows):
        own[i, : len(row)] = row
    on = np.where(own >= 0, networks[own], -1)
    net = np.array([_most(column, common) for column in on.T])
    own[(on != net) | (net < 0)] = -1
    # a place that no network of all groups has goes by those that are whole, in turn
    lost, whole = np.flatnonzero(net < 0), np.flatnonzero((own >= 0).all(axis=0))
    instead = whole if len(whole) else np.flatnonzero(net >= 0)
    free = [np.isin(networks[row], common).sum() for row in rows]
    missing = (own[:, net >= 0] < 0).sum(axis=1)
    uneven = [(int(f), int(k)) for f, k in zip(free, missing, strict=True)]
    uneven.append((len(instead), len(lost) if len(instead) else 0))
    cuts = [f // gcd(f, k) for f, k in uneven if f]
    pieces = lcm(*cuts) if lcm(*cuts) <= _MOST_PIECES else max(cuts)
    place = np.repeat(np.arange(widest), pieces)
    taken = np.isin(place, lost)
    place[taken] = np.resize(instead, int(taken.sum())) if len(instead) else 0
    gates, wanted = own[:, place], np.where(net[place] < 0, common[0], net[place])
    for gate, row in zip(gates, rows, strict=True):
        for network in np.unique(wanted[gate < 0]):
            columns = np.flatnonzero((gate < 0) & (wanted == network))
            gate[columns] = np.resize(row[networks[row] == network], len(columns))
    return Columns(rows, gates, pieces)


def _most(found: IntArray, common: Sequence[int]) -> int:
    """Return the network that most groups have at a place, of those that join all; -1 for none."""
    known, often = np.unique(found[np.isin(found, common)], return_counts=True)
    return int(known[np.argmax(often)]) if len(known) else -1


class Tier(NamedTuple):
    """A level: the number of the group that each position is in, what these run, and a word."""

    label: IntArray
    algorithm: str
    word: str


def column_steps(
    kind: str, name: str, team: Team, tiers: Sequence[Tier], columns: Columns | None = None
) -> tuple[Steps, int]:
    """Return the steps and chunks of a collective in levels on groups that differ.

    Parameters
    ----------
    kind
        "all_reduce", "reduce_scatter" or "all_gather".
    name
        Of the algorithm.
    team
        Who takes part.
    tiers
        The levels, the innermost first; the last one's group is the whole team.
    columns
        Those of the first level, where they are known.

    Raises
    ------
    DoesNotFitError
        If an algorithm does not fit its level.
    """
    first, *rest = tiers
    if not rest:
        made = plain(kind, first.algorithm, team)
        return worded(made.steps, first.word), made.chunks
    if columns is None:
        groups = [np.flatnonzero(first.label == number) for number in np.unique(first.label)]
        columns = columns_of(replace(team, groups=groups), name)
    around = _Around(kind, name, team, rest, columns.gates)
    core = _core(columns, around)
    outer = [around.column(c, row) for c, row in enumerate(core)]
    inner = {
        (half, len(row)): plain(half, first.algorithm, part_of(team, row))
        for half in _HALVES[kind] for row in columns.rows if len(row) > 1
    }  # fmt: skip
    chunked = _chunked(kind, columns, core, outer, inner.values())
    across = together([
        mapped(steps, columns.gates[core[c], c], chunked.of[c].reshape(chunks, -1), chunked.total)
        for c, (steps, chunks) in enumerate(outer)
    ])  # fmt: skip
    inside = {
        half: worded(together([
            mapped(one.steps, row, chunked.owned(i, one.chunks // len(row)), chunked.total)
            for i, row in enumerate(columns.rows) if (one := inner.get((half, len(row))))
        ]), first.word)
        for half in _HALVES[kind]
    }  # fmt: skip
    down, up = chunked.ends(reduce=True), chunked.ends(reduce=False)
    scattered, gathered = inside.get("reduce_scatter", ()), inside.get("all_gather", ())
    before = (*scattered, *down) if kind != "all_gather" else chunked.strays(out=False)
    after = (*up, *gathered) if kind != "reduce_scatter" else chunked.strays(out=True)
    return (*before, *across, *after), chunked.total


_HALVES = {
    "reduce_scatter": ("reduce_scatter",),
    "all_gather": ("all_gather",),
    "all_reduce": ("reduce_scatter", "all_gather"),
}


def plain(kind: str, name: str, team: Team) -> Schedule:
    """Return what the positions of one level run; raise `DoesNotFitError` if it has no lockstep."""
    made = find_algorithm(kind, name)(team)
    if not made.lockstep:
        raise DoesNotFitError(f"{name} has an order of its own, so it cannot be one level of more")
    return made


def part_of(team: Team, positions: IntArray) -> Team:
    """Return some positions as a team; of no bytes, so that it runs in one segment."""
    ranks = None if team.ranks is None else team.ranks[positions]
    return Team(len(positions), None, team.supernode, ranks, volume=0.0)


def worded(steps: Steps, word: str) -> Steps:
    """Return steps with a word after each phase."""
    return tuple(replace(step, phase=f"{step.phase} {word}".rstrip()) for step in steps)


@dataclass(frozen=True, eq=False)
class _Around:
    """What columns run between groups."""

    kind: str
    name: str
    team: Team
    tiers: Sequence[Tier]
    gates: IntArray
    _known: dict[bytes, tuple[Steps, int]] = field(default_factory=dict)

    def column(self, column: int, core: IntArray) -> tuple[Steps, int]:
        """Return steps and chunks among the gates that some groups have for a column."""
        at = self.gates[core, column]
        # a plain algorithm is the same on every column
        key = core.tobytes() if len(self.tiers) == 1 else at.tobytes()
        if key not in self._known:
            tiers = [tier._replace(label=tier.label[at]) for tier in self.tiers]
            self._known[key] = column_steps(self.kind, self.name, part_of(self.team, at), tiers)
        return self._known[key]


def _core(columns: Columns, around: _Around) -> list[IntArray]:
    """Return the groups at the core of each column: for an all-reduce those that are no leaves."""
    count = columns.gates.shape[1]
    if around.kind != "all_reduce":
        sizes = np.array([len(row) for row in columns.rows])
        return [np.flatnonzero(sizes > c // columns.pieces) for c in range(count)]
    width = np.array([len(np.unique(row)) for row in columns.gates])
    busiest, best = np.inf, width >= 0
    for least in np.unique(width):
        core = width >= least
        steps, _ = around.column(0, np.flatnonzero(core))
        sent = sum(step.repeat * step.traffic.ports(int(core.sum()))[0] for step in steps)
        load = float(np.max(sent, initial=0.0)) + (~core).sum() / core.sum()
        most = max([load / width[core].min(), *(1 / width[~core])])
        if most < busiest * _FEWER:
            busiest, best = most, core
    return [np.flatnonzero(best)] * count


@dataclass(frozen=True, eq=False)
class _Chunked:
    """The chunks of each column.

    Attributes
    ----------
    columns
        Who are the gates.
    core
        Groups that each column's parts belong to.
    of
        Chunks of each column, in the order of its core's parts.
    total
        How many chunks there are.
    owners
        Position that the part of each of the core must end at, where that matters.
    """

    columns: Columns
    core: Sequence[IntArray]
    of: Sequence[IntArray]
    total: int
    owners: Sequence[IntArray] | None

    def owned(self, group: int, pieces: int) -> list[IntArray]:
        """Return the chunks of each piece of what each member of a group is the gate of."""
        row, gates = self.columns.rows[group], self.columns.gates[group]
        found = []
        for member in row.tolist():
            mine = [
                self.of[c].reshape(pieces, -1) for c in np.flatnonzero(gates == member).tolist()
            ]
            found += list(np.concatenate(mine, axis=1) if mine else np.zeros((pieces, 0), int))
        return found

    def ends(self, *, reduce: bool) -> Steps:
        """Return the step in which leaves send their parts to the core, or get the sums back."""
        every, found = np.arange(len(self.columns.rows)), [np.zeros((3, 0), dtype=np.int64)]
        for c, (core, chunks) in enumerate(zip(self.core, self.of, strict=True)):
            if len(core) < len(every):
                gates = self.columns.gates[:, c]
                to = np.repeat(gates[core], len(chunks) // len(core))
                leaves = gates[np.setdiff1d(every, core)]
                found += [np.stack([np.full(len(to), leaf), to, chunks]) for leaf in leaves]
        src, dst, chunk = np.concatenate(found, axis=1)
        if reduce:
            return self._step(Transfers(src, dst, chunk, reduce=True), "from the leaves")
        return self._step(Transfers(dst, src, chunk), "to the leaves")

    def strays(self, *, out: bool) -> Steps:
        """Return the step in which gates give others their parts, or get them from these."""
        moved = []
        for c, (core, chunks) in enumerate(zip(self.core, self.of, strict=True)):
            each = len(chunks) // len(core)
            gate = np.repeat(self.columns.gates[core, c], each)
            owner = gate if self.owners is None else np.repeat(self.owners[c], each)
            moved.append(np.stack([gate, owner, chunks])[:, gate != owner])
        gate, owner, chunk = np.concatenate(moved, axis=1)
        if out:
            return self._step(Transfers(gate, owner, chunk), "from the gates")
        return self._step(Transfers(owner, gate, chunk), "to the gates")

    def _step(self, moved: Transfers, phase: str) -> Steps:
        traffic = traffic_of(moved, 1 / self.total)
        return (Step(lambda _: moved, traffic, 1, phase),) if len(moved) else ()


def _chunked(
    kind: str,
    columns: Columns,
    core: Sequence[IntArray],
    outer: Sequence[tuple[Steps, int]],
    inner: Iterable[Schedule],
) -> _Chunked:
    count, pieces = columns.gates.shape[1], columns.pieces
    cuts = {made.chunks // made.ranks for made in inner}
    if kind == "all_reduce":
        leaves = len(core[0]) < len(columns.rows)
        each = lcm(*cuts, *(chunks for _, chunks in outer), len(core[0]) if leaves else 1)
        of = list(np.arange(count * each).reshape(count, each))
        return _Chunked(columns, core, of, count * each, None)
    each = lcm(*cuts, *(chunks // len(row) for row, (_, chunks) in zip(core, outer, strict=True)))
    rows = columns.rows
    owners = [np.array([rows[i][c // pieces] for i in row]) for c, row in enumerate(core)]
    of = [
        ((own * pieces + c % pieces)[:, None] * each + np.arange(each)).reshape(-1)
        for c, own in enumerate(owners)
    ]
    return _Chunked(columns, core, of, sum(map(len, rows)) * pieces * each, owners)
