"""Place parallel groups (TP, EP, DP, PP) on a machine, and run them all at the same time.

References
----------
Narayanan et al., Efficient large-scale language model training on GPU clusters using
Megatron-LM, SC 2021 (arXiv:2104.04473), for the order in which the groups are placed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy.typing as npt

from collectives.analysis.answer import Analysis, answer
from collectives.analysis.question import Job, ask
from collectives.model.schedule import IntArray, Progress, ScheduleError
from topology import border
from topology.routing import chosen_ranks
from topology.supernode import Supernode
from topology.text import Part, Printed, Table

AXES = ("tp", "ep", "dp", "pp")


@dataclass(frozen=True, eq=False, repr=False)
class Groups(Printed, Mapping[str, IntArray]):
    """Ranks on a grid of parallel dimensions: ``groups["tp"]`` has one group to a row.

    Attributes
    ----------
    sizes
        Ranks in a group, by dimension.
    grid
        Ranks, shape (pp, dp, ep, tp) for the usual order: the last axis is placed first, on
        neighbouring ranks.
    axes
        The dimension of each axis of the grid.
    """

    sizes: Mapping[str, int]
    grid: IntArray
    axes: tuple[str, ...]

    def along(self, *dimensions: str) -> IntArray:
        """Return the groups along one or several dimensions together, shape (groups, size).

        Ranks in a row are in the order they are placed. ``along("ep", "dp")`` gives the
        data-parallel groups of the layers that are not experts.

        Raises
        ------
        ScheduleError
            If a dimension is not one of the axes.
        """
        for name in dimensions:
            if name not in self.axes:
                raise ScheduleError(
                    f"groups: there is no {name!r}; there are {', '.join(self.axes)}"
                )
        inner = [at for at, name in enumerate(self.axes) if name in dimensions]
        outer = [at for at in range(self.grid.ndim) if at not in inner]
        size = prod(self.grid.shape[at] for at in inner)
        return self.grid.transpose(outer + inner).reshape(-1, size)

    def parts(self) -> list[Part]:
        """Return what people read: how many groups of how many ranks, by dimension."""
        rows = [(name, f"{len(self[name])}", f"{self.sizes[name]}", str(self[name][0].tolist()))
                for name in self]  # fmt: skip
        title = " x ".join(f"{name} {self.sizes[name]}" for name in self)
        return [title, Table("", ("dimension", "groups", "ranks in each", "the first"), rows)]

    def __getitem__(self, name: str) -> IntArray:
        return self.along(name)

    def __iter__(self) -> Iterator[str]:
        return reversed(self.axes)

    def __len__(self) -> int:
        return len(self.axes)

    @property
    def tp(self) -> IntArray:
        """Return the tensor-parallel groups, one to a row."""
        return self.along("tp")

    @property
    def ep(self) -> IntArray:
        """Return the expert-parallel groups, one to a row."""
        return self.along("ep")

    @property
    def dp(self) -> IntArray:
        """Return the data-parallel groups, one to a row."""
        return self.along("dp")

    @property
    def pp(self) -> IntArray:
        """Return the pipeline-parallel groups, one to a row."""
        return self.along("pp")


def groups(
    supernode: Supernode,
    *,
    tp: int = 1,
    ep: int = 1,
    dp: int | None = None,
    pp: int = 1,
    order: Sequence[str] = AXES,
    ranks: npt.ArrayLike | None = None,
) -> Groups:
    """Place parallel groups on a machine's ranks.

    Parameters
    ----------
    supernode
        The machine.
    tp, ep, dp, pp
        Ranks in a tensor-, expert-, data- and pipeline-parallel group. They are dimensions of
        their own: tp · ep · dp · pp ranks in all. By default dp is what is left.
    order
        Which dimension is placed first, on neighbouring ranks, and so on.
    ranks
        Who takes part, in which order; by default all.

    Raises
    ------
    ScheduleError
        If the product is not the number of ranks, or the order is not one of the dimensions.
    """
    chosen = chosen_ranks(ranks, len(supernode.npus))
    given = {"tp": tp, "ep": ep, "pp": pp} | ({} if dp is None else {"dp": dp})
    for name, size in given.items():
        border.whole(size, f"groups: {name}", error=ScheduleError)
    if sorted(order) != sorted(AXES):
        raise ScheduleError(f"groups: order is {list(order)}; it must hold {', '.join(AXES)} once")
    rest, over = divmod(len(chosen), prod(given.values()))
    if over or (dp is not None and rest != 1):
        said = " x ".join(f"{name} {size}" for name, size in given.items())
        raise ScheduleError(
            f"groups: {said} is {prod(given.values())} ranks, and there are {len(chosen)}; "
            "the product must divide them, or choose ranks="
        )
    sizes = {name: int(given.get(name, rest)) for name in AXES}
    axes = tuple(reversed(list(order)))
    return Groups(sizes, chosen.reshape([sizes[name] for name in axes]), axes)


def analyze_groups(
    supernode: Supernode,
    kind: str,
    size: float | str,
    groups: Sequence[npt.ArrayLike] | IntArray | Groups,
    *,
    algorithm: str = "auto",
    **choices: Any,
) -> Analysis:
    """Analyse one collective in several groups at the same time, sharing links.

    Parameters
    ----------
    supernode, kind, size, algorithm
        As in `analyze`; the size is each group's.
    groups
        Ranks, one group to a row, as ``groups(...)["tp"]`` gives them; no rank in two rows.
    **choices
        ``routing``, ``rate``, ``alpha``, ``message``, ``group_size`` as in `analyze`.
    """
    if isinstance(groups, Groups):
        raise ScheduleError(
            "analyze_groups: give the groups of one dimension, such as groups(...)['tp']"
        )
    return analyze_jobs(supernode, [Job(kind, groups, size, algorithm)], **choices)


def analyze_jobs(
    supernode: Supernode, jobs: Sequence[Job], *, progress: Progress | None = None, **choices: Any
) -> Analysis:
    """Analyse several collectives at the same time, each in its own groups, sharing links.

    All go in lockstep: the first steps of all together, then the second ones; a collective with
    fewer steps is done earlier. The load of a step is what all of them send in it.

    Parameters
    ----------
    supernode
        The machine.
    jobs
        What runs, one or more; the groups of one job share no rank, those of two jobs may.
    progress, **choices
        As in `analyze`.

    Raises
    ------
    SupernodeError
        One clear message for anything that does not fit.
    """
    return answer(ask(supernode, jobs, progress, **choices))[0]
