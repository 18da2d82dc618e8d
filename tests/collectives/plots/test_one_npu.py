"""Pictures of a machine of one NPU, on which nothing is sent."""

from __future__ import annotations

import pytest

import collectives
import topology
from collectives import plots

ALONE = topology.system("tpu-v4", shape=(1, 1, 1))


@pytest.mark.parametrize("name", ["plot_loads", "plot_latency", "plot_steps", "plot_traffic"])
def test_nothing_to_draw_is_no_fault(name: str) -> None:
    figure, _ = getattr(plots, name)(collectives.analyze(ALONE, "all_reduce", 1e6))
    figure.canvas.draw()


def test_no_bandwidth_has_an_axis_too() -> None:
    figure, _ = plots.plot_bandwidth([collectives.analyze(ALONE, "all_reduce", 1e6)])
    figure.canvas.draw()
