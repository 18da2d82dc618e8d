"""The example of a user's own algorithm is right where it is allowed."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

from collectives import DoesNotFitError, Team
from tests.collectives.algorithms.teams import prove

EXAMPLE = Path(__file__).parents[3] / "examples" / "own_algorithm.py"


def test_its_algorithm_is_right() -> None:
    make = runpy.run_path(str(EXAMPLE))["skipping_ring"]
    for p in (2, 3, 4, 5, 6, 8, 10, 16):
        if p % 2 or p % 3 == 0:
            with pytest.raises(DoesNotFitError, match="skipping_ring needs"):
                make(Team(p))
        else:
            prove(make(Team(p)))
