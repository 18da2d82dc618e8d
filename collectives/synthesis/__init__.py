"""Schedules that reach the bound, found for the machine at hand."""

from collectives.synthesis.exchange import Exchange, find_exchange
from collectives.synthesis.synthesize import Synthesis, find_forest, synthesize

__all__ = ["Exchange", "Synthesis", "find_exchange", "find_forest", "synthesize"]
