"""Curves are read or refused; calibration finds what made a curve, within its intervals."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import collectives
from collectives.validation.fit import Terms, fit
from topology import SupernodeError, system

SEEDS = 25
SIZES = 2.0 ** np.arange(10, 34)
TEXT = """# Collective test starting: all_reduce_perf
#  Rank  0 Group  0 Pid 1 on a device 0 [0x07] GPU
#  Rank  1 Group  0 Pid 1 on a device 1 [0x08] GPU
#                                                    out-of-place             in-place
#       size   count  type  redop  root   time  algbw  busbw #wrong   time  algbw  busbw #wrong
#        (B)  (elements)                  (us) (GB/s) (GB/s)          (us) (GB/s) (GB/s)
        1024     256 float    sum    -1   20.0   0.05   0.05      0   25.0   0.04   0.04    N/A
     1048576  262144 float             40.0  26.21  26.21      0   50.0  20.97  20.97    N/A
# Avg bus bandwidth : 13
"""


def _written(folder: Path, text: str, name: str = "curve.txt") -> str:
    path = folder / name
    path.write_text(text)
    return str(path)


def test_every_format_says_the_same(tmp_path: Path) -> None:
    """Text with blank columns, JSON and CSV in other units are one curve."""
    found = [collectives.read_curve(_written(tmp_path, TEXT))]
    rows = [{"size": size, "out_of_place": {"time": time}} for size, time in
            ((1024, 20.0), (1048576, 40.0))]  # fmt: skip
    data = {"args": ["./all_reduce_perf"], "config": {"devices": [0, 1]}, "results": rows}
    found.append(collectives.read_curve(_written(tmp_path, json.dumps(data))))
    lines = "size (KiB),time (ms),collective,ranks\n1,0.02,all-reduce,2\n1024,0.04,all-reduce,2\n"
    found.append(collectives.read_curve(_written(tmp_path, lines)))
    for one in found:
        assert (one.collective, one.ranks) == ("all_reduce", 2)
        assert one.sizes.tolist() == [1024, 1048576]
        assert one.seconds == pytest.approx([20e-6, 40e-6])
    within = collectives.read_curve(_written(tmp_path, TEXT), in_place=True)
    assert within.seconds == pytest.approx([25e-6, 50e-6])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "empty"),
        ("size,time\n1,2\n", "line 1.*unit"),
        ("size,time (us)\n1,-2\n", "line 2.*second"),
        ("size,busbw (GB/s)\n1024,2\n", "line 2.*ranks"),
        (TEXT.replace("20.0", "fast"), "line 7.*fast"),
        (TEXT + "# Collective test starting: all_gather_perf\n 8 2 float sum -1 " + "1 " * 8,
         "all_gather, all_reduce"),
    ],
)  # fmt: skip
def test_bad_curves_are_refused(tmp_path: Path, text: str, said: str) -> None:
    """The message names the line, or what is doubled."""
    with pytest.raises(SupernodeError, match=said):
        collectives.read_curve(_written(tmp_path, text))


@pytest.mark.parametrize("floor", [0.0, 60e-6])
def test_intervals_hold_the_truth_as_often_as_they_say(floor: float) -> None:
    """A formula of its own with 5 % noise: each 95 % interval holds about as often.

    In 200 seeds each holds in 90 to 99 % of them. What a floor hides is left as it was in some
    seeds; those count for nothing.
    """
    alpha, rate, half = 32e-6, 270e9, 2e6
    truth = {"fixed": alpha / 25e-6, "bandwidth": rate / 300e9, "half": half}
    if floor:
        truth["floor"] = floor
    exact = np.maximum(floor, alpha + SIZES / rate * (1 + (half / SIZES) ** 0.5))
    none = np.zeros_like(SIZES)
    terms = Terms(SIZES, none + 25e-6, none + 1 / 300e9, none, 0.0, 0.0, none + 1e-9)
    held, told = dict.fromkeys(truth, 0), dict.fromkeys(truth, 0)
    for seed in range(SEEDS):
        noise = np.random.default_rng(seed).normal(0, 0.05, len(SIZES))
        found = fit(terms, exact * np.exp(noise), ("fixed", "bandwidth", "half"))
        for name, value in truth.items():
            if name in found.values:
                _, low, high = found.interval(name)
                told[name] += 1
                held[name] += low <= value <= high
    assert all(held[name] / told[name] >= 0.8 for name in truth), (held, told)
    assert told["bandwidth"] == SEEDS


def _curve(seconds: object, sizes: object = SIZES) -> collectives.Curve:
    return collectives.Curve("nccl.txt", np.asarray(sizes), np.asarray(seconds), "all_reduce", 8)


def test_a_stack_file_is_the_calibrated_stack(tmp_path: Path) -> None:
    """What the file gives to analyze is what was fitted, and the answer says where it is from."""
    machine = system("dgx-h100", nodes=1)
    base = [one.time for one in
            collectives.analyze_sizes(machine, "all_reduce", SIZES, stack="nccl")]  # fmt: skip
    seconds = 1.3 * np.array(base)
    seconds[12] *= 3
    found = collectives.calibrate(machine, _curve(seconds))
    assert found.outliers == (12,)
    assert "fixed" in found.found.values
    assert found.found.values["fixed"] == pytest.approx(1.3, rel=0.02)
    assert found.found.values["bandwidth"] == pytest.approx(1 / 1.3, rel=0.02)
    file = str(found.write(tmp_path / "mine.toml"))
    again = collectives.analyze_sizes(machine, "all_reduce", SIZES, stack=file)
    assert [one.time for one in again] == pytest.approx(found.fitted.tolist(), rel=1e-6)
    assert "nccl.txt" in " ".join(again[0].assumptions)
    assert again[0].error is not None
    assert "24 measurements that mine.toml is fitted to" in again[0].error.words


def test_what_the_curve_cannot_tell_is_left_or_refused() -> None:
    """Equal sizes are refused; small sizes alone leave the bandwidth."""
    machine = system("dgx-h100", nodes=1)
    with pytest.raises(SupernodeError, match="cannot be told apart"):
        collectives.calibrate(machine, _curve([1e-5, 1.1e-5], [1024.0, 1024.0]))
    noise = np.exp(np.random.default_rng(1).normal(0, 0.05, 5))
    small = collectives.calibrate(machine, _curve(2e-5 * noise, SIZES[:5]))
    assert "bandwidth" in small.left
    assert not small.departs


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('stack = "nccl"\nalpha = 3', "unknown key 'alpha'; known: stack"),
        ('stack = "nccl"\n[[constants]]\nhop = 3', "hop.*unit"),
        ('stack = "nccl"\n[[constants]]\nspeed = 3', "unknown key 'speed'"),
        ('stack = "nccl"\n[[constants]]\nbandwidth = 0', "bandwidth"),
        ('stack = "nickel"', "nickel"),
        ("stack = ", "TOML"),
    ],
)
def test_stack_files_that_are_none(tmp_path: Path, text: str, said: str) -> None:
    """Unknown keys are refused with the known ones."""
    file = _written(tmp_path, text, "mine.toml")
    with pytest.raises(SupernodeError, match=said):
        collectives.analyze(system("dgx-h100", nodes=1), "all_reduce", "1 MiB", stack=file)
