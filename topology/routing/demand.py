"""Say who sends how much to whom: one algebra for uniform, pair, summed and in-network traffic."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy import sparse

from topology import border
from topology.errors import RoutingError, shown
from topology.fabric import BoolArray, FloatArray, IntArray
from topology.text import Part, Printed, counted

if TYPE_CHECKING:
    from topology.routing.flow import RoutedFlow, Router


class Demand(Printed, ABC):
    """Traffic among ranks; every kind answers these, so nothing needs to ask which kind it is.

    Attributes
    ----------
    in_network
        Whether switches add up or copy on the way.
    """

    in_network: ClassVar[bool] = False

    @property
    def listed(self) -> int:
        """Return how many pairs have to be routed one by one; none by default."""
        return 0

    @property
    def even(self) -> bool:
        """Whether each of its ranks has the same for every other: any exchange of them keeps it."""
        return False

    def parts(self) -> list[Part]:
        """Return what people read: how much goes between how many ranks."""
        sent, ranks = self.pairs(), len(np.unique(self.ends))
        how = ", with help of switches" if self.in_network else ""
        pairs = counted(len(sent.src), "pair")
        return [f"{sent.amount.sum():g} in all, {pairs} of {counted(ranks, 'rank')}{how}"]

    @property
    @abstractmethod
    def key(self) -> tuple[object, ...]:
        """Return what two equal demands have in common; it can be hashed."""

    @property
    @abstractmethod
    def ends(self) -> IntArray:
        """Return the ranks it names, in any order and perhaps several times, shape (k,)."""

    @abstractmethod
    def pairs(self) -> Pairs:
        """Return it as pairs: what the same exchange is if no switch helps."""

    @abstractmethod
    def placed(self, ranks: IntArray) -> Demand:
        """Return it with rank i at ``ranks[i]``."""

    @abstractmethod
    def scaled(self, factor: float) -> Demand:
        """Return it with every amount times a factor, zero or more."""

    def unit(self) -> tuple[Demand, float]:
        """Return it with 1 as its largest amount, and that amount: as it is, and 1, by default."""
        return self, 1.0

    @abstractmethod
    def reversed(self) -> Demand:
        """Return it with senders and receivers exchanged."""

    @abstractmethod
    def messages(self) -> IntArray:
        """Return how many messages each rank sends, shape (ranks named and those below,)."""

    @abstractmethod
    def checked(self, count: int) -> Demand:
        """Return it without what crosses no link; raise `RoutingError` if it does not fit.

        Parameters
        ----------
        count
            How many ranks there are.
        """

    @abstractmethod
    def routed(self, router: Router) -> RoutedFlow:
        """Return it on its paths; it is checked already."""

    def ports(self, count: int) -> tuple[FloatArray, FloatArray]:
        """Return the least that each rank must send, and receive, over its links.

        Parameters
        ----------
        count
            How many ranks there are.
        """
        pairs = self.pairs().checked(count)
        sent: FloatArray = np.bincount(pairs.src, pairs.amount, count).astype(float)
        received: FloatArray = np.bincount(pairs.dst, pairs.amount, count).astype(float)
        return sent, received

    def crossing(self, side: BoolArray) -> float:
        """Return the least that must go from the ranks of a side to the others.

        Parameters
        ----------
        side
            Which ranks are on the sending side, shape (ranks,).
        """
        sent = self.pairs()
        return float(sent.amount[side[sent.src] & ~side[sent.dst]].sum())


@dataclass(frozen=True, eq=False, repr=False)
class Uniform(Demand):
    """The same amount from every rank to every other rank of its set.

    Attributes
    ----------
    ranks
        The ranks, all different: of one set, shape (p,), or of several of equal size that
        exchange nothing with each other, shape (sets, p).
    amount
        What each ordered pair of a set exchanges.
    """

    ranks: IntArray
    amount: float = 1.0

    @property
    def rows(self) -> IntArray:
        """Return the ranks of each set, shape (sets, p)."""
        rows: IntArray = np.atleast_2d(self.ranks)
        return rows

    @property
    def sets(self) -> IntArray:
        """Return the sets in one order, whatever order they were given in, shape (sets, p)."""
        rows = np.sort(self.rows, axis=1)
        return rows[np.argsort(rows[:, 0])] if rows.size else rows

    @property
    def even(self) -> bool:
        """Whether it is one set."""
        return len(self.rows) == 1

    @property
    def key(self) -> tuple[object, ...]:
        """Return ranks and amount."""
        return ("uniform", self.rows.shape, self.ranks.tobytes(), self.amount)

    @property
    def ends(self) -> IntArray:
        """Return the ranks."""
        flat: IntArray = self.ranks.reshape(-1)
        return flat

    def pairs(self) -> Pairs:
        """Return every ordered pair, by sender."""
        rows = self.rows
        width = rows.shape[1]
        src, dst = np.repeat(rows, width), np.repeat(rows, width, axis=0).reshape(-1)
        apart = src != dst
        return Pairs(src[apart], dst[apart], np.full(int(apart.sum()), float(self.amount)))

    def placed(self, ranks: IntArray) -> Uniform:
        """Return it with rank i at ``ranks[i]``."""
        return Uniform(ranks[self.ranks], self.amount)

    def scaled(self, factor: float) -> Uniform:
        """Return it with the amount times a factor."""
        return Uniform(self.ranks, self.amount * factor)

    def unit(self) -> tuple[Demand, float]:
        """Return it with the amount 1, and its amount."""
        return (replace(self, amount=1.0), self.amount) if self.amount > 0 else (self, 1.0)

    def reversed(self) -> Uniform:
        """Return itself."""
        return self

    def ports(self, count: int) -> tuple[FloatArray, FloatArray]:
        """Return p - 1 times the amount for each of the ranks."""
        sent = np.zeros(count)
        sent[self.ends] = self.amount * (self.rows.shape[1] - 1)
        return sent, sent

    def messages(self) -> IntArray:
        """Return p - 1 for each of the ranks."""
        sent: IntArray = np.bincount(self.ends) * (self.rows.shape[1] - 1)
        return sent

    def checked(self, count: int) -> Uniform:
        """Return it; raise `RoutingError` if it does not fit."""
        amount = border.number(self.amount, "demand: amount", error=RoutingError)
        if np.ndim(self.ranks) != 2:
            return Uniform(check_ranks(self.ranks, count), amount)
        ranks = check_ranks(self.ends, count).reshape(self.ranks.shape)
        return Uniform(ranks[0] if len(ranks) == 1 else ranks, amount)

    def routed(self, router: Router) -> RoutedFlow:
        """Return it on the router's own paths."""
        return router.spread(self)


@dataclass(frozen=True, eq=False, repr=False)
class Pairs(Demand):
    """An amount for each of some ordered pairs of ranks.

    Attributes
    ----------
    src, dst
        Ranks, shape (k,). A pair of a rank with itself crosses no link.
    amount
        What each pair sends, shape (k,).
    """

    src: IntArray
    dst: IntArray
    amount: FloatArray

    @property
    def key(self) -> tuple[object, ...]:
        """Return the pairs and their amounts."""
        return ("pairs", self.src.tobytes(), self.dst.tobytes(), self.amount.tobytes())

    @property
    def listed(self) -> int:
        """Return how many pairs there are."""
        return len(self.src)

    @property
    def ends(self) -> IntArray:
        """Return senders, then receivers."""
        return np.concatenate([self.src, self.dst])

    def pairs(self) -> Pairs:
        """Return itself."""
        return self

    def placed(self, ranks: IntArray) -> Pairs:
        """Return it with rank i at ``ranks[i]``."""
        return Pairs(ranks[self.src], ranks[self.dst], self.amount)

    def scaled(self, factor: float) -> Pairs:
        """Return it with every amount times a factor."""
        return Pairs(self.src, self.dst, self.amount * factor)

    def unit(self) -> tuple[Demand, float]:
        """Return it with 1 as its largest amount, and that amount."""
        most = float(self.amount.max(initial=0.0))
        return (replace(self, amount=self.amount / most), most) if most > 0 else (self, 1.0)

    def reversed(self) -> Pairs:
        """Return it with senders and receivers exchanged."""
        return Pairs(self.dst, self.src, self.amount)

    def messages(self) -> IntArray:
        """Return how many of the pairs, but those with itself, each rank sends to."""
        sent: IntArray = np.bincount(self.src[self.src != self.dst]).astype(np.int64)
        return sent

    def checked(self, count: int) -> Pairs:
        """Return the pairs that send something; raise `RoutingError` if one does not fit."""
        if not len(self.src) == len(self.dst) == len(self.amount):
            raise RoutingError("demand: src, dst and amount must have the same length")
        for (at,) in border.outside(self.amount)[:1].tolist():
            pair = f"demand: rank {self.src[at]} to rank {self.dst[at]}"
            border.number(float(self.amount[at]), pair, error=RoutingError)
        for ends in (self.src, self.dst):
            if len(ends) and not (ends.min() >= 0 and ends.max() < count):
                worst = ends.min() if ends.min() < 0 else ends.max()
                raise RoutingError(f"demand: there is no rank {worst}; ranks are 0 to {count - 1}")
        keep = (self.src != self.dst) & (self.amount > 0)
        return Pairs(self.src[keep], self.dst[keep], self.amount[keep])

    def routed(self, router: Router) -> RoutedFlow:
        """Return it on the router's own paths."""
        return router.spread(self)


DemandLike: TypeAlias = (
    Demand
    | npt.ArrayLike
    | sparse.sparray
    | sparse.spmatrix
    | Mapping[tuple[object, object], float]
    | None
)


def join_pairs(parts: Sequence[Demand]) -> Pairs:
    """Return several demands as one list of pairs, each kept as a message of its own."""
    lists = [part.pairs() for part in parts]
    none = np.zeros(0, dtype=np.int64)
    return Pairs(
        np.concatenate([none, *(one.src for one in lists)]),
        np.concatenate([none, *(one.dst for one in lists)]),
        np.concatenate([none.astype(float), *(one.amount for one in lists)]),
    )


def chosen_ranks(ranks: npt.ArrayLike | None, count: int) -> IntArray:
    """Return the ranks that take part, as `check_ranks` does; all of them for None."""
    count = border.whole(count, "count", error=RoutingError)
    return np.arange(count) if ranks is None else check_ranks(ranks, count)


def check_ranks(ranks: npt.ArrayLike, count: int) -> IntArray:
    """Return ranks as an array; raise `RoutingError` on repeats and on ranks that are not there.

    Parameters
    ----------
    ranks
        Rank numbers, any order.
    count
        How many ranks there are.
    """
    count = border.whole(count, "count", error=RoutingError)
    try:
        flat = isinstance(ranks, np.ndarray)
        raw = np.asarray(ranks if flat else border.ordered(ranks, "ranks", RoutingError))
    except ValueError:  # rows of different lengths
        raw = np.empty(0)
    if raw.ndim != 1 or not raw.size:
        raise RoutingError("ranks: give one rank or more, as a flat list such as [0, 1, 2]")
    if raw.dtype.kind not in "iu":
        raise RoutingError(
            f"ranks: {shown(raw[0])} is not a whole number; ranks are 0 to {count - 1}"
        )
    chosen = raw.astype(np.int64)
    if chosen.min() < 0 or chosen.max() >= count:
        worst = chosen.min() if chosen.min() < 0 else chosen.max()
        raise RoutingError(f"ranks: there is no rank {worst}; ranks are 0 to {count - 1}")
    values, counts = np.unique(chosen, return_counts=True)
    if counts.max() > 1:
        again = values[counts > 1][0]
        raise RoutingError(f"ranks: {again} stands {counts.max()} times; each rank goes once")
    return chosen
