"""One Hypothesis profile, derandomised in CI; no window is ever opened.

``--hypothesis-profile=thorough`` tries ten times as many examples, new ones each time.
"""

from __future__ import annotations

import os

import matplotlib as mpl
from hypothesis import settings

mpl.use("Agg")
settings.register_profile(
    "supernode",
    max_examples=30,
    deadline=None,
    derandomize=bool(os.environ.get("CI")),
    print_blob=True,
)
settings.register_profile("thorough", max_examples=300, deadline=None, print_blob=True)
settings.load_profile("supernode")
