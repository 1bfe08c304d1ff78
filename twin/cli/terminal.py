"""Printing, progress and failing, as all commands share them."""

from __future__ import annotations

import errno
import json
import math
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from twin.common.errors import ScenarioError, TwinError
from twin.common.files import is_there

if TYPE_CHECKING:
    import pandas as pd

    from twin.scenario.model import Scenario

Changes = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change a key, as arrivals.scale=2."),
]
SkipBad = Annotated[
    bool,
    typer.Option(
        "--skip-bad", help="Go on without articles that cannot be read; they are counted."
    ),
]
Workers = Annotated[int | None, typer.Option(min=1, help="Processes; default: one a core.")]
Engine = Annotated[
    str,
    typer.Option(
        help="What plays: simpy, compiled (needs the extra fast, and does not cover all desks), or "
        "auto: compiled where it can and pays. The results are the same."
    ),
]
Cluster = Annotated[
    str | None,
    typer.Option(metavar="tcp://HOST:PORT", help="A Dask scheduler, whose workers play instead."),
]
RunFolder = Annotated[
    Path,
    typer.Argument(help="Folder of a run, or of a scenario (its newest run).", show_default=False),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON only.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="No progress.")]


class _Plain(Console):
    """A console that shows control characters in texts as "?".

    Questions, names and paths come from files of others; an escape sequence or a right-to-left
    mark in them would recolour, retitle or reorder the terminal.
    """

    def render_str(self, text: str, **how: Any) -> Text:
        """Replace control characters in a text; texts in the cells of tables pass here too."""
        seen = (c if c.isprintable() or c in "\n\t" else "?" for c in text)
        return super().render_str("".join(seen), **how)


# Plain text: numbers and paths are not to be coloured or read as markup; no wrapping into a pipe.
out = _Plain(highlight=False, markup=False, width=None if sys.stdout.isatty() else 200)
err = _Plain(stderr=True, highlight=False, markup=False, soft_wrap=True)

BAD_INPUT, FAILED, INTERRUPTED = 2, 1, 130
# The signal that ended the command, if it was not Ctrl-C.
_ended_by: list[int] = []
_NO_PLACE = (errno.ENOENT, errno.ENOTDIR, errno.EEXIST, errno.EISDIR)
_REFUSED = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC)
# Seconds between two lines of progress where there is no terminal.
_EVERY_S = 5.0
_FIRST = 4


def fail(message: str, code: int) -> None:
    """Print a message on stderr and end with an exit code."""
    err.print(message)
    raise typer.Exit(code)


def heed_signals() -> None:
    """Let SIGTERM, and a terminal that is closed, end a command as Ctrl-C does: all of it ends."""
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        # Under nohup a terminal may be closed.
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, _end)


def _end(number: int, frame: object) -> None:
    # A second signal must not cut short the clean end that the first one began.
    signal.signal(number, signal.SIG_IGN)
    _ended_by.append(number)
    raise KeyboardInterrupt


def interrupted(message: str) -> None:
    """End with the exit code of Ctrl-C, or of the signal that did the same, as shells know it."""
    fail(message, 128 + _ended_by[0] if _ended_by else INTERRUPTED)


@contextmanager
def plain_errors(option: str = "", to: Path | None = None) -> Iterator[None]:
    """Errors that a user can mend, as a line each and an exit code; never a traceback.

    Parameters
    ----------
    option : str
        Names another place to write to: told where nothing may be written.
    to : Path, optional
        What `option` named: where it cannot be written, it is said why.
    """
    try:
        yield
    except TwinError as error:
        fail(str(error), BAD_INPUT if isinstance(error, ValueError) else FAILED)
    except BrokenPipeError:
        raise
    except OSError as error:
        what = "" if to is None else _not_written(error, to)
        where = f"{error.filename}: " if error.filename else ""
        advise = option and (what or error.errno in _REFUSED)
        fail(
            (what or f"{where}{error.strerror or error}")
            + (f"; name another place with {option}" if advise else ""),
            FAILED,
        )
    except MemoryError:
        fail("there is not enough memory for it: take fewer replications, months or rows", FAILED)
    except KeyboardInterrupt as error:
        interrupted(str(error) or "interrupted")


def _not_written(error: OSError, to: Path) -> str:
    """Words for why a place cannot be written; empty where the error is of something else."""
    if not error.filename or error.errno not in _NO_PLACE:
        return ""
    # Folders above it are made first, and files beside it while they are not whole.
    place, named = Path(to).absolute(), Path(os.fsdecode(error.filename)).absolute()
    beside = named.parent == place.parent and named.name.startswith(f".{place.name}.")
    if not (beside or named == place or place in named.parents or named in place.parents):
        return ""
    if named == place and named.is_dir():
        return f"{to} cannot be written: it is a folder, and a file is to be made"
    for above in (*reversed(named.parents), named):
        if is_there(above):
            return f"{to} cannot be written: {above} is a file, and a folder is needed there"
    return f"{to} cannot be written: nothing can be made in {named.parent}"


@contextmanager
def plain_errors_of_plays(option: str) -> Iterator[None]:
    """As `plain_errors`, and those of a parameter or of a replication that failed."""
    with plain_errors(option):
        try:
            yield
        except (TwinError, typer.Exit):
            raise
        except ValueError as error:
            fail(str(error), BAD_INPUT)
        except RuntimeError as error:
            fail(str(error), FAILED)


def name_provider(desks: Iterable[Scenario] = (), surely: bool = False) -> None:
    """Say where live answers come from, before they are asked for; never the key."""
    if not surely and not any(map(_is_live, desks)):
        return
    from twin.assistant.errors import AssistantError
    from twin.assistant.live.settings import Settings

    # A fault of it is told where it is asked for.
    with suppress(AssistantError):
        err.print(Settings.find().words)


def _is_live(desk: Scenario) -> bool:
    """True if playing a desk may ask a provider."""
    settings = desk.assistant
    judged = settings.judge == "model" and settings.backend != "replay"
    return settings.role != "off" and (settings.backend == "groq" or judged)


def cores() -> int:
    """Number of processes to play in, unless the user names one."""
    from joblib import cpu_count

    try:
        return int(cpu_count())
    except ValueError:  # joblib only says that it is not a number
        fail("LOKY_MAX_CPU_COUNT in the environment must be a whole number above 0", BAD_INPUT)
        raise


def skipping(desk: Scenario, skip_bad: bool) -> Scenario:
    """A scenario that goes on without bad articles, where that is asked for and it has any."""
    if not skip_bad or desk.assistant.knowledge is None:
        return desk
    return desk.vary({"assistant.skip_bad_articles": True}, name=desk.name)


def each(items: list[Any], read: Any) -> list[Any]:
    """Results of `read` for each item; the faults of all are reported together."""
    found, errors = [], []
    for item in items:
        try:
            found.append(read(item))
        except ScenarioError as error:
            errors.append(str(error))
    if errors:
        fail("\n".join(errors), BAD_INPUT)
    return found


@contextmanager
def progress(
    total: int, shown: bool, what: str = "replications"
) -> Iterator[Callable[[float, int], None] | None]:
    """A bar on a terminal, a line now and then elsewhere, with the time left; both on stderr."""
    if not shown:
        yield None
    elif err.is_terminal:
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        left = TimeRemainingColumn()
        columns = (what, BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), "left", left)
        # A thread that draws it now and then would keep workers from being copies of this process.
        with Progress(*columns, console=err, transient=True, auto_refresh=False) as bar:
            task = bar.add_task("", total=total)
            yield lambda done, of: bar.update(task, completed=done, total=of, refresh=True)
    else:
        last, before = time.monotonic(), 0.0

        def say(done: float, of: int) -> None:
            nonlocal last, before
            now = time.monotonic()
            if now - last > _EVERY_S:
                # Within one that takes long, it is the share of it that is done.
                each_s = (now - last) / ((done - before) or 1)
                last, before = now, done
                left_s = each_s * (of - done)
                left = f"{left_s:.0f} s" if left_s < 90 else f"{left_s / 60:.0f} min"
                # The first of many hold the start of the workers, and compiling: no rate yet.
                early = done < _FIRST <= of / 8
                part = "" if done == int(done) else f" ({100 * (done % 1):.0f} % of the next)"
                said = f"{int(done)} of {of} {what}{part}"
                err.print(said + ("" if early else f", about {left} left"))

        yield say


def size_of(text: str, unit: str, option: str) -> float:
    """A size in a figure's unit: a number, of times also a duration, of shares also a per cent."""
    from twin.scenario.units import parse_duration

    kinds = {"s": ' or a duration, as "30s"', "share": ' or a per cent, as "1%"'}
    try:
        if unit == "share" and text.endswith("%"):
            value = float(text[:-1]) / 100
        elif unit == "s" and text[-1:].isalpha():
            value = parse_duration(text)
        else:
            value = float(text)
    except ValueError:
        value = math.nan
    if not (value > 0 and math.isfinite(value)):
        fail(f"{option}: must be a number above 0{kinds.get(unit, '')}", BAD_INPUT)
    if unit == "share" and value > 1:
        fail(f"{option}: {text} of a share is more than all: write 95% or 0.95", BAD_INPUT)
    return value


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of a table."""
    return [{str(k): v for k, v in row.items()} for row in table.to_dict("records")]


def print_json(data: Any) -> None:
    """Print data as JSON; missing numbers are null."""
    whole = (sys.stdout.encoding or "").lower().startswith("utf")
    typer.echo(json.dumps(_plain(data), ensure_ascii=not whole, indent=2, allow_nan=False))


def _plain(value: Any) -> Any:
    """The same with missing numbers as None, as JSON has no other, and days as text."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, date):
        return value.isoformat()
    return None if isinstance(value, float) and not math.isfinite(value) else value
