"""The example of mixtures of experts runs, and says what it is about."""

from __future__ import annotations

import pytest

from examples import moe_dispatch


def test_moe_dispatch(capsys: pytest.CaptureFixture[str]) -> None:
    moe_dispatch.main()
    said = capsys.readouterr().out
    assert said.startswith("EP64 → EP320 on cloudmatrix384: dispatch ")
    assert "times as fast" in said
