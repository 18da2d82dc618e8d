"""Say in every title the same things in the same order: collective, size, ranks, routing."""

from __future__ import annotations

from collectives.analysis.answer import Analysis


def asked(analysis: Analysis) -> str:
    """Return what was asked, what was done to the machine, and the routing."""
    return f"{analysis.asked}, {routing(analysis)}"


def routing(analysis: Analysis) -> str:
    """Return the routing as people write it."""
    return f"routing {analysis.plan.router.title}"


def first_capital(sentence: str) -> str:
    """Return a sentence with a capital at its start."""
    return sentence[:1].upper() + sentence[1:]
