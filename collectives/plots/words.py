"""Say in every title the same things in the same order: collective, size, ranks, routing."""

from __future__ import annotations

from collectives.analysis.answer import Analysis
from topology import units


def asked(analysis: Analysis) -> str:
    """Return what was asked: "all-to-all of 64 MiB, 384 ranks of cloudmatrix384, direct, ECMP"."""
    size = units.format_size(analysis.size)
    return f"{analysis.collective.title} of {size}, {where(analysis)}"


def where(analysis: Analysis) -> str:
    """Return the ranks, the machine, the algorithm and the routing."""
    ranks, total = len(analysis.ranks), len(analysis.supernode.npus)
    some = f"{ranks:,}" if ranks == total else f"{ranks:,} of {total:,}"
    return f"{some} ranks of {machine(analysis)}, {analysis.algorithm}, {routing(analysis)}"


def machine(analysis: Analysis) -> str:
    """Return the machine's name and what was done to it."""
    supernode = analysis.supernode
    return ", ".join((supernode.name, *supernode.history))


def routing(analysis: Analysis) -> str:
    """Return the routing as people write it."""
    return f"routing {analysis.plan.router.title}"


def first_capital(sentence: str) -> str:
    """Return a sentence with a capital at its start."""
    return sentence[:1].upper() + sentence[1:]
