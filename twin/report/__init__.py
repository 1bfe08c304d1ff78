"""The report of runs: one page of HTML with everything in it."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from twin.report.page import write

__all__ = ["write"]


def __getattr__(name: str) -> Any:
    # Loaded when first used: sentences about a scenario wait for no pictures.
    if name not in __all__:
        raise AttributeError(f"module 'twin.report' has no attribute '{name}'")
    return getattr(import_module("twin.report.page"), name)
