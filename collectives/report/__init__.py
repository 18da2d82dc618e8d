"""One HTML file with tables, pictures and sources."""

from collectives.report.html import check_target as check_target
from collectives.report.html import report as report
from collectives.report.html import write_report as write_report
