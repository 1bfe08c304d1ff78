"""A part of the live desk as a process of its own: its log, and faults as words."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from twin.common.errors import TwinError

BAD_INPUT = 2


def start_log() -> None:
    """Send what is to be told to the error stream, a line each."""
    logging.basicConfig(level=logging.WARNING, format="%(name)s: %(message)s", stream=sys.stderr)
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)


@contextmanager
def plain_errors(host: str, port: int) -> Iterator[None]:
    """End the process with a sentence where it cannot run, and where its port cannot be used."""
    try:
        yield
    except TwinError as error:
        sys.exit(say(str(error)))
    except OSError as error:
        sys.exit(say(f"port {port} of {host}: {error.strerror or error}"))


def say(words: str) -> int:
    """Say why the process ends; its exit status."""
    sys.stderr.write(words + "\n")
    return BAD_INPUT
