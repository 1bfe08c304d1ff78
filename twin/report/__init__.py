"""The report of runs: one page of HTML with everything in it."""

from twin.report.page import page, write

__all__ = ["page", "write"]
