"""One Hypothesis profile, derandomised in CI; no window is ever opened."""

from __future__ import annotations

import os

import matplotlib as mpl
from hypothesis import settings

mpl.use("Agg")
settings.register_profile(
    "supernode", max_examples=50, deadline=None, derandomize=bool(os.environ.get("CI"))
)
settings.load_profile("supernode")
