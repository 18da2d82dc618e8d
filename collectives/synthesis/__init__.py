"""Schedules that reach the bound, found for the machine at hand."""

from collectives.synthesis.deployed import forest as forest
from collectives.synthesis.exchange import Exchange as Exchange
from collectives.synthesis.exchange import find_exchange as find_exchange
from collectives.synthesis.synthesize import Synthesis as Synthesis
from collectives.synthesis.synthesize import find_forest as find_forest
from collectives.synthesis.synthesize import synthesize as synthesize
