"""Origin of results: versions, commit and content of the files that a run reads."""

from __future__ import annotations

import hashlib
import json
import platform
import subprocess
from collections.abc import Callable, Iterator
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import twin
from twin.assistant.judging.model_judge import rater_name
from twin.common.errors import ScenarioError
from twin.desk.customers import RATER_VERSION as CUSTOMERS_VERSION
from twin.scenario.changes import PATH_KEYS, as_change
from twin.scenario.diff import changes
from twin.scenario.model import Scenario

_PACKAGES = (
    "simpy",
    "numpy",
    "pandas",
    "pyarrow",
    "scipy",
    "pydantic",
    "joblib",
    "wordllama",
    "tokenizers",
    "groq",
)


def versions() -> dict[str, str]:
    """Versions of Python, the twin and what it computes with."""
    return dict(_versions())


@cache
def _versions() -> dict[str, str]:
    found = {"python": platform.python_version(), "twin": twin.__version__}
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def commit() -> str | None:
    """Git commit of the package if it runs from a checkout; "-dirty" if files are changed."""
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():
        return None
    # Every commit, no tags; and no lock that would get in the way of the user's own git.
    words = ["describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        done = subprocess.run(
            ["git", "--no-optional-locks", "-C", str(root), *words],
            capture_output=True,
            text=True,
            timeout=5,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() or None


# Starter scenarios are no code; the others show what was computed, and change no figure of a run.
_SHOWING = (
    "starter/", "report/", "history/", "live/", "cli/", "measures/series/",
    "experiments/display.py", "common/html.py",
)  # fmt: skip


@cache
def code_digest() -> str:
    """Short hash of the code that makes figures, and of the versions of what it computes with."""
    package = Path(__file__).resolve().parents[1]
    total = hashlib.sha256(json.dumps(versions()).encode())
    for path in sorted(p for p in package.rglob("*") if p.suffix in (".py", ".toml")):
        name = path.relative_to(package).as_posix()
        if not name.startswith(_SHOWING):
            # A checkout on Windows may have other line ends; the code is the same.
            total.update(name.encode() + b"\0" + path.read_bytes().replace(b"\r\n", b"\n"))
    return total.hexdigest()[:12]


def pairs_by(scenario: Scenario) -> dict[str, str | int | float]:
    """Values that must be equal for two runs to have the same customers and days."""
    return {
        "seed": scenario.seed,
        "start": scenario.start.isoformat(),
        "time_zone": scenario.time_zone,
        "horizon_s": scenario.horizon,
        "warm_up_s": scenario.warm_up,
        "code": code_digest(),
        **_uncertainty(scenario),
    }


def _uncertainty(scenario: Scenario) -> dict[str, str]:
    """Short hash of what replications draw their versions from; empty where they do not."""
    given = scenario.uncertainty
    if given is None:
        return {}
    data = given.model_dump(mode="json")
    for key in ("file", "forecast"):
        if data[key] is not None:
            data[key] = digest(Path(data[key]))
        else:
            # So that what was played before there were forecasts has the hash that it had.
            del data[key]
    return {"uncertainty": hashlib.sha256(json.dumps(data).encode()).hexdigest()[:8]}


def file_hashes(scenario: Scenario, known: Callable[[Path], str] | None = None) -> dict[str, str]:
    """SHA-256 of the content of each file or folder that the scenario names, by key.

    Parameters
    ----------
    scenario : Scenario
    known : callable, optional
        Tells the hash of a path that was read before; by default `digest`, which reads it.
    """
    of = known or digest
    return {key: of(path) for key, path in named_files(scenario).items() if path.exists()}


def named_files(scenario: Scenario) -> dict[str, Path]:
    """Files and folders that a scenario names, by key."""
    return dict(_named_files("", scenario.model_dump(mode="json")))


def _named_files(prefix: str, data: Any) -> Iterator[tuple[str, Path]]:
    items = enumerate(data) if isinstance(data, list) else data.items()
    for key, value in items:
        if isinstance(value, dict | list):
            yield from _named_files(f"{prefix}{key}.", value)
        elif key in PATH_KEYS and isinstance(value, str):
            yield f"{prefix}{key}", Path(value)


def digest(path: Path) -> str:
    """SHA-256 of the content of a file, or of all files in a folder with their names."""
    total = hashlib.sha256()
    if path.is_file():
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    for file_path in sorted(p for p in path.rglob("*") if p.is_file()):
        name = file_path.relative_to(path).as_posix()
        # A name need not be text.
        total.update(name.encode(errors="surrogateescape") + b"\0")
        total.update(hashlib.sha256(file_path.read_bytes()).digest())
    return total.hexdigest()


def raters(scenario: Scenario) -> dict[str, str]:
    """Raters with their versions: the judge of answers and the simulated customers."""
    settings = scenario.assistant
    answers = rater_name(settings.judge, settings.judge_model)
    return {"answers": answers, "customers": CUSTOMERS_VERSION}


def scenario_digest(scenario: Scenario) -> str:
    """Short hash of a scenario's data, its seed included."""
    text = json.dumps(scenario.as_data(), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def read_from(scenario: Scenario) -> dict[str, object]:
    """The scenario's file as it was named, and what was set beside it; empty if from no file.

    How many replications are played is left out: who plays it again says so.
    """
    if scenario._path is None:
        return {}
    changes = {key: value for key, value in scenario._set.items() if key != "replications"}
    return {
        "file": str(scenario._path),
        "set": [as_change(key, value) for key, value in changes.items()],
    }


def base(scenario: Scenario) -> dict[str, object]:
    """The file that a scenario rests on, and what it changes in it; empty if it is from no file."""
    try:
        name, changed = changes(scenario)
    except ScenarioError:
        # The file was there when the scenario was read; that it has gone is no reason not to run.
        return {}
    return {"file": name, "changes": changed} if name else {}
