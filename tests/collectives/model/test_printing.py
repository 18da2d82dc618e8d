"""What a person prints fits 80 columns and says what it is; `repr` is one line."""

from __future__ import annotations

import pytest

import collectives
import topology


def printed() -> dict[str, object]:
    machine = topology.shapes.torus((3, 4), link=50e9)
    schedule = collectives.synthesize(machine, "all_reduce")
    return {
        "12 ranks": schedule,
        "reduce up the trees": schedule.steps[0],
        "added at the receiver": schedule.steps[0].transfers(0),
        "follow each other": collectives.dependencies(schedule),
        "trees from each": collectives.find_forest(machine),
        "all-to-all of 12 ranks": collectives.find_exchange(machine),
    }


@pytest.mark.parametrize(("words", "thing"), printed().items())
def test_it_prints_well(words: str, thing: object) -> None:
    assert words in str(thing)
    assert max(map(len, str(thing).splitlines())) <= 80
    assert len(str(thing)) < 2_000
    short = repr(thing)
    assert short.startswith(f"<{type(thing).__name__}: ")
    assert "\n" not in short
    assert len(short) < 200
