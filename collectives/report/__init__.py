"""One HTML file with tables, pictures and sources."""

from collectives.report.html import check_target, report, write_report

__all__ = ["check_target", "report", "write_report"]
