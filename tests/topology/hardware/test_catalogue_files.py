"""Hold the catalogue's own files: every row loads, every cell is used, nothing is invented."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Mapping
from importlib import resources

import pytest

from topology.errors import CatalogueError
from topology.hardware.catalogue import CONFIDENCES, Entry, parse_catalogue
from topology.hardware.devices import KINDS, device_catalogue
from topology.hardware.media import MEDIA, link_catalogue, link_types
from topology.metrics.physical import cable_catalogue, reliability
from topology.systems import cloudmatrix384, system_catalogue, system_names

WORDS = {
    "devices.csv": ("device", "title", "vendor", "kind"),
    "media.csv": ("link", "title", "medium"),
    "systems.csv": ("system", "title", "vendor"),
    "cables.csv": ("link", "title"),
}
CATALOGUES = {
    "devices.csv": device_catalogue,
    "media.csv": link_catalogue,
    "systems.csv": system_catalogue,
    "cables.csv": cable_catalogue,
}
ASSUMED = ("assumed", "from memory", "as quoted", "quoted at", "quoted in", "as given in readings")


def lines(file: str) -> list[str]:
    text = resources.files("topology").joinpath("data", file).read_text(encoding="utf-8")
    return text.splitlines()


def rows(file: str) -> list[dict[str, str]]:
    return list(csv.DictReader(lines(file)))


@pytest.mark.parametrize("file", WORDS)
def test_every_row_loads_and_says_something(file: str) -> None:
    found = parse_catalogue(lines(file), WORDS[file], file)
    assert set(found) == {row[WORDS[file][0]] for row in rows(file)}
    for row in rows(file):
        figures = set(row) - {*WORDS[file], "source", "date", "confidence", "note"}
        assert any(row[figure] for figure in figures), row


@pytest.mark.parametrize("file", WORDS)
def test_rows_of_a_subject_stand_together_and_only_the_first_has_the_words(file: str) -> None:
    key, *words = WORDS[file]
    subjects = [row[key] for row in rows(file)]
    firsts = [s for i, s in enumerate(subjects) if i == 0 or subjects[i - 1] != s]
    assert max(Counter(firsts).values()) == 1
    seen: set[str] = set()
    for row in rows(file):
        new = row[key] not in seen
        seen.add(row[key])
        assert all(bool(row[word]) == new for word in words), row[key]


@pytest.mark.parametrize("file", WORDS)
def test_no_row_is_there_twice(file: str) -> None:
    every = Counter(tuple(row.values()) for row in rows(file))
    assert [row for row, count in every.items() if count > 1] == []


@pytest.mark.parametrize("file", WORDS)
def test_what_was_not_read_at_its_source_is_an_estimate(file: str) -> None:
    for row in rows(file):
        if any(words in row["source"] for words in ASSUMED):
            said = (row[WORDS[file][0]], row["source"])
            assert row["confidence"] in ("estimate", "derived"), said
            if row["source"].startswith("assumed"):
                assert row["confidence"] == "estimate", said


@pytest.mark.parametrize("file", WORDS)
def test_every_bad_row_of_a_file_is_told_at_once(file: str) -> None:
    """Spoil every row in another way: the message has all the lines."""
    header, *body = lines(file)
    columns = header.split(",")
    spoiled = []
    for row in csv.DictReader([header, *body]):
        row["confidence"] = "certain"
        row["date"] = "soon"
        spoiled.append(",".join('"' + row[c].replace('"', '""') + '"' for c in columns))
    with pytest.raises(CatalogueError) as told:
        parse_catalogue([header, *spoiled], WORDS[file], file)
    said = str(told.value)
    for at in range(len(spoiled)):
        assert f"{file}, line {at + 2}: confidence" in said
        assert f"{file}, line {at + 2}: date" in said
    assert len(said.splitlines()) == 2 * len(spoiled)


@pytest.mark.parametrize("figure", ["npus", "npu_bandwidth"])
def test_every_machine_has_a_row_with_what_it_is_compared_by(figure: str) -> None:
    known = system_catalogue()
    assert set(known) == set(system_names())
    assert [name for name, entry in known.items() if entry.figure(figure) is None] == []


def test_every_link_type_is_usable_and_has_a_source_for_its_rate() -> None:
    for name, kind in link_types().items():
        record = kind.link()
        assert record.type == name
        assert record.medium in MEDIA
        assert kind.length <= kind.reach
        assert record.sources
        assert link_catalogue()[name].figure("lane") is not None


def test_optical_links_know_their_modules_and_copper_has_none() -> None:
    for name, kind in link_types().items():
        assert (kind.modules > 0) == (kind.medium == "optical"), name


def test_devices_are_consistent() -> None:
    """Ports times the rate of a port is the bandwidth, for every source that gives all three."""
    for name, entry in device_catalogue().items():
        assert entry.words["kind"] in KINDS
        parts = [entry.figure(part) for part in ("ports", "port", "bandwidth")]
        if all(parts):
            ports, port, bandwidth = (part.value for part in parts if part)
            assert ports * port == pytest.approx(bandwidth, rel=1e-9), name


def test_sources_that_disagree_are_both_kept() -> None:
    """The 910C has three figures for BF16, CloudMatrix384's paper first."""
    entry = device_catalogue()["ascend910c"]
    assert [figure.value / 1e12 for figure in entry.figures["bf16"]] == [752, 780, 707.8]
    assert len({figure.source for figure in entry.figures["bf16"]}) == 3


def _confidences(entries: Mapping[str, Entry]) -> Counter[str]:
    every = (f for entry in entries.values() for known in entry.figures.values() for f in known)
    return Counter(figure.confidence for figure in every)


@pytest.mark.parametrize("file", WORDS)
def test_every_confidence_is_a_known_one(file: str) -> None:
    assert set(_confidences(CATALOGUES[file]())) <= set(CONFIDENCES)


def test_cables_are_link_types() -> None:
    assert set(cable_catalogue()) <= set(link_catalogue())


def test_the_catalogue_knows_how_often_optics_fail() -> None:
    """5,376 modules of 2,000 FIT: one fails every 93 hours."""
    found = reliability(cloudmatrix384())
    assert found.mtbf / 3600 == pytest.approx(93.006, abs=0.01)
