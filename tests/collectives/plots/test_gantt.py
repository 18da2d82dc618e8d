"""The Gantt chart of a simulation: its data, its words, and where they stand."""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise

import pytest

import collectives
import topology
from collectives import Job, Simulation, plots
from tests.pictures import check_texts, words
from topology.units import MiB


@pytest.fixture(scope="module")
def ring() -> Simulation:
    return collectives.simulate(topology.dgx_h100(2), "all_reduce", 4 * MiB, algorithm="ring")


def test_a_rank_is_at_one_thing_after_the_other_from_start_to_end(ring: Simulation) -> None:
    found = defaultdict(list)
    for span in plots.gantt_spans(ring):
        found[span.rank].append(span)
    assert len(found) == 16
    for rank, spans in found.items():
        spans.sort(key=lambda span: span.start)
        assert spans[0].start == 0
        assert spans[-1].end == pytest.approx(float(ring.finish[rank]), rel=1e-12)
        for one, after in pairwise(spans):
            assert after.start == pytest.approx(one.end, rel=1e-12)
    software = sum(s.end - s.start for s in found[0] if s.part == "endpoint")
    end = ring.question.endpoint
    steps = ring.jobs[0].schedule.steps
    own = sum(step.repeat * (end.alpha + step.messages * end.message) for step in steps)
    assert software == pytest.approx(own, rel=1e-9)


@pytest.mark.parametrize("style", ["light", "dark", "print"])
def test_the_chart_is_legible_and_says_what_was_asked(ring: Simulation, style: str) -> None:
    figure, _ = plots.plot_gantt(ring, style=style)
    check_texts(figure)
    said = words(figure).replace("\n", " ")
    for part in ("4 MiB", "16 ranks", "ECMP", "reduce-scatter", "npu/15", "Done after"):
        assert part in said, part


def test_jobs_at_once_have_rows_of_their_own() -> None:
    machine = topology.dgx_h100(2)
    jobs = [Job("all_reduce", [range(16)], 1 * MiB, "ring", name) for name in ("one", "other")]
    figure, _ = plots.plot_gantt(collectives.simulate(machine, jobs))
    check_texts(figure)
    assert "one: npu/0" in words(figure)
    assert "as long as alone" in words(figure)


def test_steps_that_overlap_have_a_row_for_each_phase() -> None:
    machine = topology.dgx_h100(2)
    found = collectives.simulate(machine, "all_reduce", 64 * MiB, algorithm="hierarchical_direct")
    _, ax = plots.plot_gantt(found)
    names = [label.get_text() for label in ax.get_yticklabels()]
    assert "npu/0: all-gather in the node" in names
    assert len(names) <= 32


def test_a_rank_alone_has_a_chart_of_nothing() -> None:
    found = collectives.simulate(topology.star(1, link="nvlink5"), "all_reduce", 1 * MiB)
    figure, _ = plots.plot_gantt(found)
    check_texts(figure)
    assert "Nothing is sent" in words(figure)
