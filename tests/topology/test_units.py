"""Quantities are SI inside, and strings with a unit at the border."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from topology import SupernodeError, units
from topology.errors import UnitError
from topology.units import GB, KiB, MiB


@pytest.mark.parametrize(
    ("read", "text", "value"),
    [
        (units.parse_size, "64 MiB", 64 * 2**20),
        (units.parse_size, "64MiB", 64 * 2**20),
        (units.parse_size, "1.5 GB", 1.5e9),
        (units.parse_size, "1,024 B", 1024),
        (units.parse_size, " 1e3 kB ", 1e6),
        (units.parse_size, "0 B", 0),
        (units.parse_rate, "400 Gbps", 50e9),
        (units.parse_rate, "400 Gb/s", 50e9),
        (units.parse_rate, "56 GB/s", 56e9),
        (units.parse_rate, "2 GiB/s", 2**31),
        (units.parse_time, "1.2 us", 1.2e-6),
        (units.parse_time, "1.2 µs", 1.2e-6),
        (units.parse_time, ".5 ms", 5e-4),
        (units.parse_length, "2.5 m", 2.5),
        (units.parse_length, "20 cm", 0.2),
        (units.parse_power, "559 kW", 559e3),
    ],
)
def test_quantities_are_read(read: Callable[[str], float], text: str, value: float) -> None:
    assert read(text) == pytest.approx(value, rel=1e-15)


READERS = [
    (units.parse_size, "MiB"),
    (units.parse_rate, "GB/s"),
    (units.parse_time, "us"),
    (units.parse_length, "m"),
    (units.parse_power, "W"),
]


@pytest.mark.parametrize(("read", "unit"), READERS)
@pytest.mark.parametrize("bare", ["64", "64.0", "1e6", 64, 64.0])
def test_a_bare_number_is_told_its_units(
    read: Callable[[object], float], unit: str, bare: object
) -> None:
    with pytest.raises(UnitError, match="has no unit") as told:
        read(bare)
    assert unit in str(told.value)
    assert repr(bare) in str(told.value)


@pytest.mark.parametrize(("read", "unit"), READERS)
@pytest.mark.parametrize(
    "bad", ["", "fast", "nan {}", "inf {}", "-1 {}", "1e999 {}", "1 {} {}", "--1 {}", "1 parsec"]
)
def test_what_is_not_a_quantity_is_refused(
    read: Callable[[object], float], unit: str, bad: str
) -> None:
    with pytest.raises(UnitError):
        read(bad.format(unit, unit))


def test_bits_and_bytes_are_told_apart() -> None:
    with pytest.raises(UnitError, match="unknown unit 'Gbps'"):
        units.parse_size("8 Gbps")
    assert units.parse_rate("8 Gbps") == units.parse_rate("1 GB/s")
    assert issubclass(UnitError, SupernodeError)


def test_none_is_not_a_quantity() -> None:
    with pytest.raises(UnitError, match="None"):
        units.parse_size(None)


@given(st.floats(1, 1e16))
def test_what_is_printed_can_be_read(value: float) -> None:
    for show, read in (
        (units.format_size, units.parse_size),
        (units.format_rate, units.parse_rate),
    ):
        assert read(show(value)) == pytest.approx(value, rel=5.1e-4)


@given(st.floats(1e-9, 1e4))
def test_printed_times_can_be_read(value: float) -> None:
    assert units.parse_time(units.format_time(value)) == pytest.approx(value, rel=5.1e-4)


@given(st.integers(1, 1023), st.sampled_from([units.KiB, units.MiB, units.GiB, units.TiB]))
def test_whole_binary_sizes_survive_printing(count: int, unit: float) -> None:
    assert units.parse_size(units.format_size(count * unit)) == count * unit


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (units.format_size(64 * MiB), "64 MiB"),
        (units.format_size(1.5 * KiB), "1.536 KB"),
        (units.format_size(49.2e12), "49.2 TB"),
        (units.format_size(0), "0 B"),
        (units.format_rate(392 * GB), "392 GB/s"),
        (units.format_rate(75.264e12), "75.26 TB/s"),
        (units.format_rate(math.inf), "unlimited"),
        (units.format_time(170.8e-6), "170.8 us"),
        (units.format_time(0), "0 s"),
        (units.format_time(999.94e-9), "999.9 ns"),
        (units.format_time(999.96e-9), "1 us"),
        (units.format_time(0.99996), "1 s"),
        (units.format_size(999999), "1 MB"),
        (units.format_rate(999.9999e9), "1 TB/s"),
        (units.format_power(999.96), "1 kW"),
        (units.format_rate(1234e15), "1234 PB/s"),
        (units.format_time(1e-12), "0.001 ns"),
        (units.format_time(350e-9), "350 ns"),
        (units.format_power(559e3), "559 kW"),
        (units.format_percent(376 / 383), "98.2 %"),
        (units.format_percent(1), "100 %"),
        (units.format_percent(0.9996), ">99.9 %"),
        (units.format_percent(0.9994), "99.9 %"),
        (units.format_percent(1 - 1e-12), "100 %"),
        (units.format_rate(math.nan), "unknown"),
    ],
)
def test_quantities_are_printed(text: str, said: str) -> None:
    assert text == said


def test_exact_fractions_are_formatted_as_any_number() -> None:
    assert units.format_rate(Fraction(10**12, 3)) == units.format_rate(1e12 / 3)
