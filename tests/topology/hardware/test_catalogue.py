"""Catalogue files: every figure has a source, every fault is told."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from topology.errors import CatalogueError, UnknownNameError
from topology.hardware.catalogue import CONFIDENCES, Entry, parse_catalogue
from topology.hardware.devices import KINDS, device, device_catalogue
from topology.hardware.media import link_catalogue
from topology.systems import system_catalogue, system_names

HEADER = "link,medium,lane_GBps,length_m,delay_ns_per_m,power_W,source,date,confidence,note"


def _read(*rows: str) -> Mapping[str, Entry]:
    return parse_catalogue([HEADER, *rows], ("link", "medium"), "test.csv")


def test_cells_are_in_si_units_and_the_first_row_that_fills_one_wins() -> None:
    found = _read(
        "a,copper,50,,4.6,,first,2025,vendor,",
        "a,optical,60,2,,,second,2025-06,measured,twice",
    )
    entry = found["a"]
    assert entry.words["medium"] == "copper"
    assert entry.value("lane") == 50e9
    assert entry.value("length") == 2.0
    assert entry.value("delay") == pytest.approx(4.6e-9)
    assert entry.value("power", 7.0) == 7.0
    assert entry.figure("power") is None
    assert [figure.value for figure in entry.figures["lane"]] == [50e9, 60e9]
    assert entry.sources == ("first", "second")
    second = entry.figures["lane"][1]
    assert (second.source, second.date, second.confidence, second.note, second.unit) == (
        "second", "2025-06", "measured", "twice", "B/s",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ("a,copper,50,,,,,2025,vendor,", "source is empty"),
        ("a,copper,50,,,,s,,vendor,", "date is empty"),
        ("a,copper,50,,,,s,2025,,", "confidence is empty"),
        ("a,copper,50,,,,s,2025,sure,", "'sure'"),
        ("a,copper,50,,,,s,June 2025,vendor,", "'June 2025'"),
        ("a,copper,fast,,,,s,2025,vendor,", "lane_GBps 'fast'"),
        ("a,copper,nan,,,,s,2025,vendor,", "lane_GBps 'nan'"),
        ("a,copper,inf,,,,s,2025,vendor,", "lane_GBps 'inf'"),
        ("a,copper,-5,,,,s,2025,vendor,", "lane_GBps '-5'"),
        (",copper,50,,,,s,2025,vendor,", "link is empty"),
        ("a,copper,50", "cells"),
        ("a,copper,50,,,,s,2025,vendor,,surplus", "cells"),
    ],
)
def test_a_faulty_row_is_told_with_its_line(row: str, fault: str) -> None:
    with pytest.raises(CatalogueError, match=r"test.csv, line 3") as told:
        _read("good,copper,50,,,,s,2025,vendor,", row)
    assert fault in str(told.value)


def test_every_fault_is_told_at_once() -> None:
    with pytest.raises(CatalogueError) as told:
        _read("a,copper,x,,,,s,2025,vendor,", "b,copper,y,,,,s,2025,vendor,")
    assert "line 2" in str(told.value)
    assert "line 3" in str(told.value)


def test_a_missing_column_is_named() -> None:
    with pytest.raises(CatalogueError, match="confidence, note are missing"):
        parse_catalogue(["link,medium,source,date"], ("link", "medium"), "test.csv")
    with pytest.raises(CatalogueError, match="missing"):
        parse_catalogue([], ("link",), "test.csv")


CATALOGUES = [device_catalogue, link_catalogue, system_catalogue]


@pytest.mark.parametrize("catalogue", CATALOGUES)
def test_every_figure_of_the_library_has_a_source(catalogue: object) -> None:
    rows: Mapping[str, Entry] = catalogue()  # type: ignore[operator]
    assert rows
    for name, entry in rows.items():
        assert entry.name == name
        assert entry.words.get("title"), f"{name} has no title"
        for known in entry.figures.values():
            for figure in known:
                assert figure.source
                assert figure.confidence in CONFIDENCES


def test_assumptions_are_not_passed_off_as_more() -> None:
    for catalogue in CATALOGUES:
        for entry in catalogue().values():
            for known in entry.figures.values():
                for figure in known:
                    if figure.source.startswith("assumed"):
                        assert figure.confidence == "estimate", entry.name


def test_devices_are_of_known_kinds_and_found_by_name() -> None:
    for entry in device_catalogue().values():
        assert entry.words["kind"] in KINDS
    assert device("b200").value("bandwidth") == 900e9
    with pytest.raises(UnknownNameError, match="nvswitch4") as told:
        device("nvswitch5")
    assert "did you mean" in str(told.value)


def test_every_built_machine_has_a_row() -> None:
    assert {"cloudmatrix384", "gb200-nvl72", "dgx-h100"} <= set(system_names())
    assert {"cloudmatrix384", "gb200-nvl72", "dgx-h100"} <= set(system_catalogue())
