"""Link types: from the catalogue, from a rate, or made by hand, and never half right."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import numpy as np
import pytest

from topology import Link, LinkType, SupernodeError, link_type
from topology.errors import GraphError, UnknownNameError
from topology.hardware.media import MEDIA, link_types
from topology.units import GB, ns


@pytest.mark.parametrize("name", sorted(link_types()))
def test_every_type_of_the_catalogue_makes_a_link(name: str) -> None:
    kind = link_types()[name]
    record = kind.link()
    assert kind.capacity > 0
    assert record.medium in MEDIA
    assert record.type == name
    assert record.sources
    parts = record.propagation + record.transceivers + record.fec
    assert record.latency == pytest.approx(parts, rel=1e-15)


def test_latency_grows_with_length() -> None:
    kind = LinkType(capacity=GB, propagation=5 * ns, transceivers=6 * ns, fec=30 * ns, length=2)
    assert kind.link().latency == pytest.approx(46 * ns)
    assert kind.at(20).link().latency == pytest.approx(136 * ns)
    assert kind.length == 2


def test_a_link_beyond_its_reach_is_refused() -> None:
    copper = link_type("nvlink5")
    assert copper.at(copper.reach).link().length == copper.reach
    with pytest.raises(GraphError, match="beyond its reach") as told:
        copper.at(30).link()
    assert "30 m" in str(told.value)


def test_a_rate_is_a_type() -> None:
    assert link_type(50 * GB).capacity == 50 * GB
    assert link_type(np.float64(50e9)).capacity == 50e9
    assert link_type(np.int64(50)).capacity == 50
    assert link_type("400 Gbps").capacity == link_type("50GB/s").capacity == 50e9
    kind = LinkType(capacity=1.0, name="mine")
    assert link_type(kind) is kind


def test_an_unknown_name_lists_the_near_ones() -> None:
    with pytest.raises(UnknownNameError, match="did you mean nvlink"):
        link_type("nvlnk5")


@pytest.mark.parametrize("bad", [0, -1, float("nan"), float("inf"), True, None, [1.0], "0", "4 m"])
def test_a_type_needs_a_capacity(bad: object) -> None:
    with pytest.raises(SupernodeError, match=r"capacity|link type"):
        link_type(bad)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "part", ["latency", "length", "propagation", "transceivers", "fec", "modules"]
)
@pytest.mark.parametrize("bad", [-1.0, float("nan"), float("inf"), "1 m"])
def test_every_part_is_zero_or_more(part: str, bad: object) -> None:
    with pytest.raises(GraphError, match=part):
        LinkType(capacity=GB, **{part: bad})  # type: ignore[arg-type]


@pytest.mark.parametrize("bad", [0.0, 1.1, float("nan"), -0.5])
def test_efficiency_is_a_share(bad: float) -> None:
    with pytest.raises(GraphError, match="efficiency"):
        LinkType(capacity=GB, efficiency=bad)


def test_a_medium_is_copper_or_optical() -> None:
    with pytest.raises(GraphError, match="'glass'"):
        LinkType(capacity=GB, medium="glass")


def test_records_do_not_change() -> None:
    with pytest.raises(FrozenInstanceError):
        Link().length = 3.0  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError):
        LinkType(capacity=GB).capacity = 0.0  # type: ignore[misc]
