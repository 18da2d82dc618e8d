"""One Hypothesis profile, derandomised in CI; no window is ever opened.

``--hypothesis-profile=thorough`` tries ten times as many examples.
"""

from __future__ import annotations

import gc
import os

import matplotlib as mpl
from hypothesis import HealthCheck, settings

gc.disable()  # until all tests are collected
mpl.use("Agg")
settings.register_profile(
    "supernode",
    max_examples=30,
    deadline=None,
    derandomize=bool(os.environ.get("CI")),
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],  # a busy machine is no fault of the code
)
settings.register_profile("thorough", settings.get_profile("supernode"), max_examples=300)
settings.load_profile("supernode")


def pytest_collection_finish() -> None:
    """Leave the modules and their machines out of every later search for garbage."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
    gc.enable()
