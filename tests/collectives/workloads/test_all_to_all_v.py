"""All-to-all-v on machines, and bounds for demands of any kind."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import topology
from collectives import analyze
from collectives.bounds import (
    CertificateError,
    CollectiveNeed,
    Cut,
    PairsNeed,
    TokenNeed,
    bound,
    bound_needs,
)
from collectives.workloads.all_to_all_v import analyze_all_to_all_v
from tests.strategies import byte_matrices, supernodes
from topology import Supernode
from topology.fabric import FloatArray
from topology.units import GB, MiB


@given(machine=supernodes(), algorithm=st.sampled_from(["direct", "bruck", "auto"]))
def test_a_uniform_matrix_is_an_all_to_all(machine: Supernode, algorithm: str) -> None:
    p, size = len(machine.npus), float(MiB)
    if p == 1:
        return
    options = {"algorithm": algorithm, "alpha": 1e-6, "message": 1e-9}
    even = analyze(machine, "all_to_all", size, **options)  # type: ignore[arg-type]
    v = analyze_all_to_all_v(machine, np.full((p, p), size / p), **options)
    assert v.size == pytest.approx(size)
    assert v.time == pytest.approx(even.time)
    assert v.busbw == pytest.approx(even.busbw)


@given(machine=supernodes(), data=st.data())
def test_an_estimate_never_beats_its_bound(machine: Supernode, data: st.DataObject) -> None:
    matrix = data.draw(byte_matrices(ranks=len(machine.npus)))
    found = analyze_all_to_all_v(machine, matrix, alpha=0.0, message=0.0)
    assert found.bound.time <= found.time * (1 + 1e-9)
    assert found.bound.certificate.check(machine)


@given(matrix=byte_matrices(ranks=8))
def test_bound_of_a_star_is_its_busiest_port(matrix: FloatArray) -> None:
    star = topology.star(8, link=25 * GB)
    found = analyze_all_to_all_v(star, matrix, algorithm="direct", alpha=0.0, message=0.0)
    apart = matrix * (1 - np.eye(8))
    busiest = max(apart.sum(axis=0).max(), apart.sum(axis=1).max()) / (25 * GB)
    assert found.bound.time == pytest.approx(busiest)
    assert found.cost.transfer == pytest.approx(busiest)


def test_an_even_matrix_on_rails_is_bound_by_the_nics() -> None:
    machine = topology.dgx_h100(2)
    p = len(machine.npus)
    v = analyze_all_to_all_v(machine, np.full((p, p), MiB / p), algorithm="hierarchical")
    even = analyze(machine, "all_to_all", MiB, algorithm="hierarchical")
    assert v.bound.algbw == pytest.approx(2 * 50 * GB)
    assert str(v).splitlines()[0] == str(even).splitlines()[0]


KINDS = ["all_reduce", "all_gather", "reduce_scatter", "all_to_all"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["dgx-h100", "cloudmatrix384"])
def test_one_group_of_all_is_the_collective(kind: str, name: str) -> None:
    machine = topology.system(name, nodes=2)
    limit = bound_needs(machine, [CollectiveNeed(kind, machine.npus)], size=1e9)
    assert limit == bound(machine, kind).at(1e9)
    assert limit.certificate.check(machine)


@pytest.mark.parametrize("kind", KINDS)
def test_bound_of_one_group_on_a_star_is_the_closed_form(kind: str) -> None:
    star = topology.star(6, link=25 * GB)
    limit = bound_needs(star, [CollectiveNeed(kind, star.npus)], size=1e9)
    assert limit.busbw == pytest.approx(25 * GB)


def test_tokens_cross_once_for_a_node() -> None:
    machine = topology.star(4, link=GB)
    to_node = np.full((4, 2), 1.5)  # less than the two ranks of a node together
    tables = np.ones((4, 4)), to_node, np.array([0, 0, 1, 1])
    need = TokenNeed.of(machine, range(4), *tables)
    assert need.crossing(np.array([1, 1, 0, 0], bool)) == 3.0
    assert need.crossing(np.array([1, 1, 1, 0], bool)) == 3.0  # rank 3, from three
    assert need.crossing(np.ones(4, bool)) == 0.0
    back = TokenNeed.of(machine, range(4), *tables, back=True)
    assert back.crossing(np.array([0, 0, 1, 1], bool)) == 3.0


def test_a_false_claim_is_refused() -> None:
    star = topology.star(2, link=GB)
    need = PairsNeed.of(star, np.array([[0.0, 1.0], [0.0, 0.0]]))
    cut = Cut((need,), 1 / GB, "an NPU", part=star.npus[:1])
    assert cut.check(star)
    with pytest.raises(CertificateError, match="proves 1e-09"):
        replace(cut, claim=2 / GB).check(star)
