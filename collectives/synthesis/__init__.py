"""Schedules that reach the bound, found for the machine at hand."""

from collectives.synthesis.synthesize import Synthesis, find_forest, synthesize

__all__ = ["Synthesis", "find_forest", "synthesize"]
