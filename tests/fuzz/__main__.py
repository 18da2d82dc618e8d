"""``python -m tests.fuzz --count N --seed S``: print every fault with what reproduces it."""

from __future__ import annotations

import sys
import time
from argparse import ArgumentParser

from tests.fuzz.harness import run, told


def main() -> int:
    """Run so many cases; return 1 if there was a fault."""
    parser = ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0)
    arguments = parser.parse_args()
    start, found = time.monotonic(), 0
    for fault in run(
        arguments.count, arguments.seed, arguments.first, lambda n: sys.stderr.write(f"at {n}\n")
    ):
        found += 1
        sys.stdout.write(told(fault, arguments.seed) + "\n")
        sys.stdout.flush()
    spent = time.monotonic() - start
    sys.stdout.write(f"{arguments.count} inputs in {spent:.0f} s: {found} faults\n")
    return int(found > 0)


sys.exit(main())
