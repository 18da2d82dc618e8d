"""Say where the tokens of a mixture of experts go: who sends how many to whom.

Tokens choose experts, experts live on ranks; a token may be sent once for every expert, once for
every rank, or once for every node.

References
----------
DeepSeek-AI, DeepSeek-V3 technical report, arXiv:2412.19437, for group-limited routing and
redundant experts; DeepEP (github.com/deepseek-ai/DeepEP) for the bytes of a token.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil
from typing import Any

import numpy as np
import numpy.typing as npt

from collectives.model.schedule import IntArray, ScheduleError
from collectives.workloads.expectation import hit_even, hit_loaded, off
from topology import border
from topology.approximation import Approximation
from topology.errors import shown
from topology.fabric import FloatArray, distinct

MOST_EXPERTS = 100_000
_MOST_DRAWS = 10**9
PHASES = ("dispatch", "combine")


@dataclass(frozen=True)
class MoELayer:
    """A mixture-of-experts layer, as far as communication goes.

    Attributes
    ----------
    tokens
        Tokens on each rank.
    hidden
        Elements of a token.
    top_k
        Experts each token is sent to.
    experts
        Routed experts in all.
    expert_groups, top_groups
        Group-limited routing: experts in so many equal groups, of which a token uses some only;
        None for all.
    dispatch_element, combine_element
        Bytes per element on the way out and on the way back.
    scale_block, scale_element
        On the way out, a scale of so many bytes for every block of elements; no scales if the
        block is 0.
    """

    tokens: int
    hidden: int
    top_k: int
    experts: int
    expert_groups: int = 1
    top_groups: int | None = None
    dispatch_element: float = 1.0
    combine_element: float = 2.0
    scale_block: int = 128
    scale_element: float = 4.0

    def __post_init__(self) -> None:
        border.whole(self.experts, "moe: experts", most=MOST_EXPERTS, error=ScheduleError)
        for name in ("tokens", "hidden", "top_k", "expert_groups"):
            border.whole(getattr(self, name), f"moe: {name}", error=ScheduleError)
        border.whole(self.scale_block, "moe: scale_block", least=0, error=ScheduleError)
        for name in ("dispatch_element", "combine_element"):
            what = f"moe: {name}"
            border.number(getattr(self, name), what, above=0, unit="bytes", error=ScheduleError)
        what = "moe: scale_element"
        border.number(self.scale_element, what, unit="bytes", error=ScheduleError)
        if self.experts % self.expert_groups:
            raise ScheduleError(
                f"moe: {self.experts} experts do not form {self.expert_groups} equal groups"
            )
        if self.top_groups is not None:
            border.whole(self.top_groups, "moe: top_groups", error=ScheduleError)
        reach = self.groups_used * self.experts // self.expert_groups
        if self.groups_used > self.expert_groups or self.top_k > reach:
            raise ScheduleError(
                f"moe: top_k is {self.top_k} and top_groups {self.groups_used}; there are "
                f"{self.expert_groups} groups of {self.experts // self.expert_groups} experts"
            )

    @property
    def groups_used(self) -> int:
        """Return how many groups of experts a token uses at most."""
        return self.expert_groups if self.top_groups is None else self.top_groups

    def token_bytes(self, phase: str) -> float:
        """Return the bytes of a token, for one expert, in "dispatch" or "combine"."""
        if border.choice(phase, "moe: phase", PHASES, ScheduleError) == "combine":
            return self.hidden * self.combine_element
        scales = ceil(self.hidden / self.scale_block) if self.scale_block else 0
        return self.hidden * self.dispatch_element + scales * self.scale_element

    def logical_bytes(self, phase: str) -> float:
        """Return what a rank sends if every token goes to each of its experts: S of a phase."""
        return self.tokens * self.top_k * self.token_bytes(phase)

    def bandwidth(self, phase: str, seconds: float) -> float:
        """Return the bandwidth DeepEP prints for a latency: logical bytes over seconds.

        Experts on a rank's own node, and on the rank itself, are counted too.
        """
        return self.logical_bytes(phase) / seconds

    def latency(self, phase: str, bandwidth: float) -> float:
        """Return seconds at a logical bandwidth: tokens · top_k · bytes / bandwidth."""
        return self.logical_bytes(phase) / bandwidth


def deepseek_v3(tokens: int = 128, **changes: Any) -> MoELayer:
    """Return the MoE layer of DeepSeek-V3: 8 of 256 experts, 4 of 8 groups, FP8 out, BF16 back.

    Parameters
    ----------
    tokens
        Tokens on each rank: 128 when decoding, 4096 when prefilling or training.
    **changes
        Other fields of `MoELayer`.

    References
    ----------
    DeepSeek-AI, DeepSeek-V3 technical report, arXiv:2412.19437, §2.1.2 and §3.2.
    """
    layer = MoELayer(tokens, 7168, 8, 256, expert_groups=8, top_groups=4)
    return replace(layer, **changes) if changes else layer


def skewed_load(experts: int, skew: float, seed: int) -> FloatArray:
    """Return a sampled load: how much of all choices falls on each expert, shape (experts,).

    Parameters
    ----------
    experts
        How many.
    skew
        Standard deviation of the logarithm of an expert's load; 0 for equal loads.
    seed
        Of the sampling.
    """
    many = border.whole(experts, "moe: experts", most=MOST_EXPERTS, error=ScheduleError)
    sigma = border.number(skew, "moe: skew", error=ScheduleError)
    drawn = np.random.default_rng(border.seed(seed, "moe: seed", ScheduleError))
    power = sigma * drawn.standard_normal(many)
    weight = np.exp(power - power.max())  # the largest is 1: a large skew does not overflow
    found: FloatArray = weight / weight.sum()
    return found


@dataclass(frozen=True, eq=False)
class Copies:
    """How many copies of tokens go where, on average or as sampled.

    Attributes
    ----------
    layer
        The layer.
    home
        Node of each rank, shape (p,).
    per_expert
        Copies from each rank to each if a token is sent for every expert, shape (p, p).
    per_rank
        The same if it is sent once for every rank.
    per_node
        Copies from each rank to each node if it is sent once for every node, shape (p, nodes).
    fewest
        The fewest copies that this load allows, whichever experts go together; None where the
        numbers above are exact.
    error
        How far copies per rank and node can be off, as a fraction of the true ones.
    """

    layer: MoELayer
    home: IntArray
    per_expert: FloatArray
    per_rank: FloatArray
    per_node: FloatArray
    fewest: Copies | None = None
    error: float = 0.0

    @property
    def least(self) -> Copies:
        """Return copies that nothing can save: what a bound may count."""
        return self if self.fewest is None else self.fewest

    def approximations(self, dedup: str) -> tuple[Approximation, ...]:
        """Return what is not exact about the copies that are sent."""
        if self.fewest is None or dedup == "none":
            return ()
        why = "a load does not say which experts go together; they count as almost independent"
        return (Approximation(f"copies per {dedup}", why, self.error),)

    @property
    def nodes_per_token(self) -> float:
        """Return on how many nodes a token has experts, on average."""
        return float(self.per_node.sum() / (self.layer.tokens * len(self.home)))

    @property
    def ranks_per_token(self) -> float:
        """Return on how many ranks a token has experts, on average."""
        return float(self.per_rank.sum() / (self.layer.tokens * len(self.home)))

    @property
    def imbalance(self) -> float:
        """Return the busiest rank's share of the expert work, over the average one's."""
        received = self.per_expert.sum(axis=0)
        return float(received.max() / received.mean())

    @property
    def leaving(self) -> float:
        """Return the share of copies, one for every expert, that leave their node."""
        other = self.home[:, None] != self.home
        return float(self.per_expert[other].sum() / self.per_expert.sum())

    def matrix(self, phase: str, *, dedup: str = "none") -> FloatArray:
        """Return bytes from each rank to each, row = sender, shape (p, p).

        Parameters
        ----------
        phase
            "dispatch", or "combine", which goes the other way.
        dedup
            "none" for a copy for every expert, "rank" for one for every rank.
        """
        if dedup not in ("none", "rank"):
            raise ScheduleError(f"moe: dedup is {shown(dedup)}; a matrix is for 'none' or 'rank'")
        copies = self.per_expert if dedup == "none" else self.per_rank
        found: FloatArray = copies * self.layer.token_bytes(phase)
        return found if phase == "dispatch" else found.T


def place_experts(layer: MoELayer, ranks: int, load: npt.ArrayLike | None = None) -> IntArray:
    """Return the expert in each slot of each rank, shape (ranks, slots).

    Experts are placed in order, equally many to a rank. Where they do not fill the slots, as on
    320 ranks with 256 experts, the rest are second (third, ...) copies, of the most loaded first.

    Parameters
    ----------
    layer
        The layer.
    ranks
        How many.
    load
        Share of all choices on each expert; by default all equal.
    """
    slots = -(-layer.experts // ranks) * ranks
    share = check_load(layer, load)
    copies = np.ones(layer.experts, dtype=np.int64)
    extra = []
    for _ in range(slots - layer.experts):
        busiest = int(np.argmax(share / copies))
        copies[busiest] += 1
        extra.append(busiest)
    placed = np.concatenate([np.arange(layer.experts), np.array(extra, dtype=np.int64)])
    return placed.reshape(ranks, -1)


def check_load(layer: MoELayer, load: npt.ArrayLike | None) -> FloatArray:
    """Return the share of all choices on each expert; raise `ScheduleError` if it cannot be."""
    if load is None:
        return np.full(layer.experts, 1 / layer.experts)
    share: FloatArray = border.numbers(load, "moe: load", ScheduleError)
    if share.shape != (layer.experts,):
        raise ScheduleError(
            f"moe: load has shape {share.shape}; it must be {layer.experts} numbers"
        )
    if share.sum() <= 0:
        raise ScheduleError("moe: load is zero on every expert")
    share = share / share.sum()
    if share.max() * layer.top_k > 1 + 1e-9:
        raise ScheduleError(
            f"moe: expert {int(share.argmax())} takes {share.max():.1%} of all choices; with "
            f"top_k {layer.top_k} an expert can take {1 / layer.top_k:.1%} at most"
        )
    return share


def route_tokens(
    layer: MoELayer,
    home: Sequence[int] | IntArray,
    *,
    load: npt.ArrayLike | None = None,
    seed: int | None = None,
) -> Copies:
    """Return how many copies of tokens go where.

    Parameters
    ----------
    layer
        The layer.
    home
        Node of each rank, 0, 1, ..., shape (p,).
    load
        Measured share of all choices that fall on each expert, shape (experts,); by default
        all equal.
    seed
        Draw every token's groups and experts with this seed, by load, without repeats; by default
        expected values. These are exact for equal loads, and for copies per expert. Copies per
        rank or node under other loads depend on which experts go together: experts count as
        independent, corrected by what is exact for equal loads, and `Copies.fewest` has what no
        choice goes below.
    """
    where = np.unique(np.asarray(home), return_inverse=True)[1].reshape(-1)
    slots = place_experts(layer, len(where), load)
    share = check_load(layer, load)
    if seed is not None:
        draws = max(len(where) * layer.tokens, layer.experts) * layer.experts
        if draws > _MOST_DRAWS:
            raise ScheduleError(
                f"moe: {draws:,} draws of experts are too many, up to {_MOST_DRAWS:,} are made; "
                "leave out the seed for expected values"
            )
        rng = np.random.default_rng(border.seed(seed, "moe: seed", ScheduleError))
        return _sampled(layer, where, slots, share, rng)
    return _expected(layer, where, slots, share)


def _sampled(
    layer: MoELayer, home: IntArray, slots: IntArray, share: FloatArray, rng: np.random.Generator
) -> Copies:
    p, nodes = len(home), int(home.max()) + 1
    by_expert = [np.flatnonzero(slots.reshape(-1) == e) for e in range(layer.experts)]
    count = np.array([len(found) for found in by_expert])
    rank_of = np.zeros((layer.experts, int(count.max())), dtype=np.int64)
    for e, found in enumerate(by_expert):
        rank_of[e, : len(found)] = found // slots.shape[1]
    per_expert, per_rank = np.zeros((p, p)), np.zeros((p, p))
    per_node = np.zeros((p, nodes))
    token = np.arange(layer.tokens)[:, None]
    for origin in range(p):
        chosen = _draw(layer, share, rng)
        replica = (rng.random(chosen.shape) * count[chosen]).astype(np.int64)
        target = rank_of[chosen, replica]
        per_expert[origin] = np.bincount(target.reshape(-1), minlength=p)
        once = distinct(token * p + target) % p
        per_rank[origin] = np.bincount(once, minlength=p)
        once = distinct(token * nodes + home[target]) % nodes
        per_node[origin] = np.bincount(once, minlength=nodes)
    return Copies(layer, home, per_expert, per_rank, per_node)


def _draw(layer: MoELayer, share: FloatArray, rng: np.random.Generator) -> IntArray:
    """Return the experts of each token of a rank, by Gumbel's trick, shape (tokens, top_k)."""
    groups = layer.expert_groups
    with np.errstate(divide="ignore"):
        score = np.log(share) + rng.gumbel(size=(layer.tokens, layer.experts))
        if layer.groups_used < groups:
            weight = np.log(share.reshape(groups, -1).sum(axis=1))
            order = weight + rng.gumbel(size=(layer.tokens, groups))
            out = np.argsort(-order, axis=1)[:, layer.groups_used :]
            grouped = score.reshape(layer.tokens, groups, -1)
            np.put_along_axis(grouped, out[:, :, None], -np.inf, axis=1)
    found: IntArray = np.argpartition(-score, layer.top_k - 1, axis=1)[:, : layer.top_k]
    return found


def _expected(layer: MoELayer, home: IntArray, slots: IntArray, share: FloatArray) -> Copies:
    p, nodes = len(home), int(home.max()) + 1
    copies = np.bincount(slots.reshape(-1), minlength=layer.experts)
    here = np.zeros((p, layer.experts))  # probability that an expert's token comes to a rank
    np.add.at(here, (np.repeat(np.arange(p), slots.shape[1]), slots.reshape(-1)), 1.0)
    here /= copies
    at_node = np.zeros((nodes, layer.experts))
    np.add.at(at_node, home, here)
    wanted = np.tile(layer.tokens * layer.top_k * here @ share, (p, 1))

    def made(rank: FloatArray, node: FloatArray) -> Copies:
        """Return the copies of such chances; a node is hit where a rank is, and only there."""
        most, total = np.zeros(nodes), np.zeros(nodes)
        np.maximum.at(most, home, rank)
        np.add.at(total, home, rank)
        to_rank, to_node = layer.tokens * rank, layer.tokens * np.clip(node, most, total)
        return Copies(layer, home, wanted, np.tile(to_rank, (p, 1)), np.tile(to_node, (p, 1)))

    limited = (layer.expert_groups, layer.groups_used, layer.top_k)
    even = [hit_even(places, *limited) for places in (here, at_node)]
    if np.allclose(share, 1 / layer.experts, rtol=1e-12, atol=0):
        return made(*even)
    chances = [
        hit_loaded(places, share, exact, layer.top_k)
        for places, exact in zip((here, at_node), even, strict=True)
    ]
    likely, fewest, most = (made(*both) for both in zip(*chances, strict=True))
    error = max(
        off(getattr(likely, name), getattr(limit, name))
        for limit in (fewest, most) for name in ("per_rank", "per_node")
    )  # fmt: skip
    return replace(likely, fewest=fewest, error=error)
