"""Write anew what is known of every stack's error: ``python -m collectives.validation``."""

from __future__ import annotations

import csv
import sys
from datetime import UTC, datetime
from io import StringIO

from collectives.validation.validate import Validation, validate
from topology import files

HEADERS = (
    "stack", "generation", "size_class", "measurements", "error", "source", "date", "confidence",
    "note",
)  # fmt: skip


def error_rows(found: Validation, date: str) -> str:
    """Return the text of stack_errors.csv."""
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(HEADERS)
    for key, (count, error) in found.means().items():
        source = "collectives.validate() over measurements.csv"
        writer.writerow([*key, count, f"{error:.4f}", source, date, "derived", ""])
    return text.getvalue()


if __name__ == "__main__":
    today = datetime.now(UTC).strftime("%Y-%m-%d")
    files.write_text(sys.argv[1], error_rows(validate(), today))
