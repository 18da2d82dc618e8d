"""Files are read and written by the end of their names, or by the format asked for."""

from __future__ import annotations

from pathlib import Path

import pytest

import topology
from topology import formats
from topology.errors import SupernodeError, UnknownNameError
from topology.units import GB

STAR = topology.star(3, link=GB)
SPEC = '[shape]\nfamily = "star"\nnpus = 3\nlink = "1 GB/s"\n'


def test_the_end_of_a_name_tells_the_format(tmp_path: Path) -> None:
    formats.write(STAR, tmp_path / "it.JSON")
    (tmp_path / "it.toml").write_text(SPEC, encoding="utf-8")
    for name in ("it.JSON", "it.toml"):
        assert formats.read(tmp_path / name).name == "star-3"


def test_a_format_can_be_asked_for(tmp_path: Path) -> None:
    formats.write(STAR, tmp_path / "it", format="node_link")
    assert formats.read(tmp_path / "it", format="node-link").npus == STAR.npus


def test_what_cannot_be_is_said(tmp_path: Path) -> None:
    with pytest.raises(SupernodeError, match=r"must end in \.json.* to write a machine"):
        formats.write(STAR, tmp_path / "it.toml")
    with pytest.raises(SupernodeError, match=r"must end in \.json, \.toml.* to read a machine"):
        formats.read(tmp_path / "it.xml")
    with pytest.raises(SupernodeError, match="no way to write the format 'spec'"):
        formats.write(STAR, tmp_path / "it", format="spec")
    with pytest.raises(UnknownNameError, match="did you mean spec"):
        formats.read(tmp_path / "it", format="specs")
    with pytest.raises(SupernodeError, match=r"none\.json cannot be read"):
        formats.read(tmp_path / "none.json")
    with pytest.raises(SupernodeError, match="cannot be written"):
        formats.write(STAR, tmp_path / "no" / "it.json")
