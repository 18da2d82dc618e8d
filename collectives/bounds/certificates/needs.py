"""What must reach whom: plain facts, and what of it has to cross a cut.

Amounts are in bytes per byte of the question's size S. Data that a rank has and another needs
crosses every cut between them at least once, whatever the algorithm and the routing; where data
is added up, one sum crosses for all who add to it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol, TypeAlias

import networkx as nx
import numpy as np
import numpy.typing as npt
from scipy import sparse

from collectives.model.collective import Collective, collective
from topology.errors import shown

BoolArray: TypeAlias = npt.NDArray[np.bool_]
FloatArray: TypeAlias = npt.NDArray[np.float64]
IntArray: TypeAlias = npt.NDArray[np.int64]
Row: TypeAlias = tuple[float, ...]


class Machine(Protocol):
    """What a certificate is checked on: a graph and its ranks."""

    @property
    def name(self) -> str:
        """Name, for messages."""

    @property
    def graph(self) -> nx.DiGraph:
        """Nodes with kind, forwards, capacity, reduces, multicasts; edges with capacity."""

    @property
    def npus(self) -> tuple[str, ...]:
        """Ids of the ranks, in order."""


@dataclass(frozen=True)
class CollectiveNeed:
    """A collective of some ranks.

    Attributes
    ----------
    collective
        Its name; it says who has what before, and who needs what after.
    ranks
        Ids.
    root
        Id of the root, where there is one.
    weight
        Its own size per byte of S.
    """

    collective: str
    ranks: tuple[str, ...]
    root: str | None = None
    weight: float = 1.0

    @classmethod
    def of(
        cls, machine: Machine, kind: str | Collective, ranks: npt.ArrayLike, *,
        root: int = 0, weight: float = 1.0,
    ) -> CollectiveNeed:  # fmt: skip
        """Return the need of ranks given as positions in the machine's; root among the ranks."""
        ids = _ids(machine, ranks)
        wanted = collective(kind)
        return cls(wanted.name, ids, ids[root] if wanted.rooted else None, float(weight))

    @property
    def kind(self) -> Collective:
        """Return the collective."""
        return collective(self.collective)

    def fault(self) -> str | None:
        """Return what does not fit, in words."""
        if self.kind.rooted != (self.root is not None) or self.root not in (None, *self.ranks):
            return f"{self.kind.title} has the root {shown(self.root)}"
        return None if 0 <= self.weight < np.inf else f"the weight is {shown(self.weight)}"

    def crossing(
        self, near: BoolArray, sender: str | None = None, receiver: str | None = None
    ) -> float:
        """Return what must go from the near ranks to the others.

        Parameters
        ----------
        near
            Which ranks are on the sending side, shape (p,).
        sender, receiver
            Count only what this rank has, or needs.
        """
        kind = self.kind
        if not kind.moves:
            return 0.0
        gives, takes = near & self._only(sender), ~near & self._only(receiver)
        if kind.before == "origin":
            return self.weight * int(gives.sum()) * int(takes.sum()) / len(near)
        root = self._only(self.root)
        has, wants = (  # every owner's share, or the whole
            side if place == "owner" else np.any(side & root if place == "root" else side)
            for place, side in ((kind.before, gives), (kind.after, takes))
        )
        return self.weight * float(np.mean(has & wants))

    def _only(self, rank: str | None) -> BoolArray:
        every = np.ones(len(self.ranks), dtype=bool)
        return every if rank is None else np.array([r == rank for r in self.ranks], dtype=bool)

    def rows(self, which: IntArray, *, copied: bool) -> FloatArray | None:
        """Return what some ranks have for each, shape (k, p), if every byte is for one rank.

        Parameters
        ----------
        which
            The senders, as positions in ``ranks``.
        copied
            Whether data may be copied or added up on the way: then what several ranks need, or
            add to, is not theirs alone, and there is no such table.
        """
        places = (self.kind.before, self.kind.after)
        if places == ("everyone", "everyone") or (copied and "everyone" in places):
            return None
        share = 1.0 if set(places) == {"root", "everyone"} else 1 / len(self.ranks)
        root = self._only(self.root) if "root" in places else None
        found = np.full((len(which), len(self.ranks)), self.weight * share)
        if root is not None:
            found *= root[which, None] if places[0] == "root" else root[None, :]
        found[np.arange(len(which)), which] = 0.0
        return found


@dataclass(frozen=True)
class PairsNeed:
    """Blocks of their own from ranks to ranks: an all-to-all-v.

    Attributes
    ----------
    ranks
        Ids.
    src, dst
        Positions in ``ranks``, from whom and to whom.
    amount
        Bytes per byte of S.
    """

    ranks: tuple[str, ...]
    src: tuple[int, ...]
    dst: tuple[int, ...]
    amount: tuple[float, ...]

    @classmethod
    def of(
        cls, machine: Machine, matrix: npt.ArrayLike, ranks: npt.ArrayLike | None = None
    ) -> PairsNeed:
        """Return the need of a table of amounts, shape (p, p), row = sender."""
        table = np.array(matrix, dtype=float)
        np.fill_diagonal(table, 0.0)
        src, dst = np.nonzero(table)
        ids = _ids(machine, np.arange(len(table)) if ranks is None else ranks)
        return cls(ids, *(tuple(part.tolist()) for part in (src, dst, table[src, dst])))

    def fault(self) -> str | None:
        """Return what does not fit, in words."""
        if not len(self.src) == len(self.dst) == len(self.amount):
            return "the demand's columns differ in length"
        if any(not 0 <= end < len(self.ranks) for end in (*self.src, *self.dst)):
            return "the demand is not one between ranks"
        return None if all(0 <= x < np.inf for x in self.amount) else "an amount is below zero"

    @cached_property
    def table(self) -> sparse.csr_array:
        """Return the amounts, shape (p, p), row = sender."""
        shape = (len(self.ranks),) * 2
        made = sparse.csr_array((self.amount, (self.src, self.dst)), shape=shape, dtype=float)
        made.setdiag(0.0)
        return made

    @cached_property
    def _turned(self) -> sparse.csr_array:
        return sparse.csr_array(self.table.T)

    def crossing(
        self, near: BoolArray, sender: str | None = None, receiver: str | None = None
    ) -> float:
        """Return what must go from the near ranks to the others, as of a collective."""
        names = np.array(self.ranks)
        gives = near if sender is None else near & (names == sender)
        takes = ~near if receiver is None else ~near & (names == receiver)
        if gives.sum() <= takes.sum():
            return float(self.table[np.flatnonzero(gives)].sum(axis=0)[takes].sum())
        return float(self._turned[np.flatnonzero(takes)].sum(axis=0)[gives].sum())

    def rows(self, which: IntArray, *, copied: bool) -> FloatArray:
        """Return what some ranks have for each, shape (k, p)."""
        del copied
        found: FloatArray = self.table[which].toarray()
        return found


@dataclass(frozen=True)
class TokenNeed:
    """Tokens that are wanted at several places and may be copied, or added up, on the way.

    Attributes
    ----------
    ranks
        Ids.
    to_rank
        Bytes per byte of S of the tokens each rank has for each, p rows of p.
    to_node
        The same for each node, every token once: p rows.
    home
        Node of each rank.
    back
        Whether results return (combine) instead of tokens going out (dispatch).
    """

    ranks: tuple[str, ...]
    to_rank: tuple[Row, ...]
    to_node: tuple[Row, ...]
    home: tuple[int, ...]
    back: bool = False

    @classmethod
    def of(
        cls, machine: Machine, ranks: npt.ArrayLike, to_rank: FloatArray, to_node: FloatArray,
        home: IntArray, *, back: bool = False,
    ) -> TokenNeed:  # fmt: skip
        """Return the need of tables of amounts, shapes (p, p) and (p, nodes), and (p,)."""
        rows, nodes = (tuple(map(tuple, np.asarray(t).tolist())) for t in (to_rank, to_node))
        return cls(_ids(machine, ranks), rows, nodes, tuple(np.asarray(home).tolist()), back)

    def fault(self) -> str | None:
        """Return what does not fit, in words."""
        p, nodes = len(self.ranks), {len(row) for row in self.to_node}
        square = len(self.to_rank) == p and all(len(row) == p for row in self.to_rank)
        if not (square and len(self.to_node) == len(self.home) == p and len(nodes) == 1):
            return "the tables of tokens do not fit the ranks"
        fits = all(0 <= home < min(nodes) for home in self.home)
        known = all(0 <= x < np.inf for row in (*self.to_rank, *self.to_node) for x in row)
        return None if fits and known else "the tables of tokens hold what is no amount or no node"

    @cached_property
    def _tables(self) -> tuple[FloatArray, FloatArray, IntArray]:
        return np.array(self.to_rank), np.array(self.to_node), np.array(self.home)

    def crossing(
        self, near: BoolArray, sender: str | None = None, receiver: str | None = None
    ) -> float:
        """Return the most that one rank, or one whole node, on the far side needs."""
        holds = near != self.back
        if holds.all() or not holds.any() or sender is not None or receiver is not None:
            return 0.0
        to_rank, to_node, home = self._tables
        ranks = to_rank[holds][:, ~holds].sum(axis=0)
        held = np.bincount(home[holds], minlength=to_node.shape[1]) > 0
        nodes = to_node[holds][:, ~held].sum(axis=0)
        return float(max(ranks.max(), nodes.max(initial=0.0)))

    def rows(self, which: IntArray, *, copied: bool) -> FloatArray | None:
        """Return nothing: one token may be for several ranks."""
        del which, copied
        return None


Need: TypeAlias = CollectiveNeed | PairsNeed | TokenNeed


def _ids(machine: Machine, ranks: npt.ArrayLike) -> tuple[str, ...]:
    return tuple(machine.npus[rank] for rank in np.asarray(ranks, dtype=np.int64).tolist())
