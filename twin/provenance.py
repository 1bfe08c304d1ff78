"""Where results come from: versions, commit and content of the files that a run reads."""

from __future__ import annotations

import hashlib
import json
import platform
import subprocess
from importlib import metadata
from pathlib import Path

import twin
from twin.scenario import Scenario

_PACKAGES = (
    "simpy",
    "numpy",
    "pandas",
    "pyarrow",
    "scipy",
    "pydantic",
    "joblib",
    "wordllama",
    "groq",
)


def versions() -> dict[str, str]:
    """Versions of Python, the twin and what it computes with."""
    found = {"python": platform.python_version(), "twin": twin.__version__}
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def commit() -> str | None:
    """Git commit of the package if it runs from a checkout; "-dirty" if files are changed."""
    root = Path(__file__).resolve().parent.parent
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


def file_hashes(scenario: Scenario) -> dict[str, str]:
    """SHA-256 of the content of each file or folder that the scenario reads, by key."""
    used = {
        "tickets.corpus": scenario.tickets.corpus,
        "arrivals.trace": scenario.arrivals.trace,
        "assistant.knowledge": scenario.assistant.knowledge,
        "assistant.recording": scenario.assistant.recording,
    }
    found = {}
    for key, name in used.items():
        path = Path(name) if name else None
        if path is not None and path.exists():
            found[key] = _digest(path)
    return found


def _digest(path: Path) -> str:
    total = hashlib.sha256()
    if path.is_file():
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    for file_path in sorted(p for p in path.rglob("*") if p.is_file()):
        total.update(file_path.relative_to(path).as_posix().encode() + b"\0")
        total.update(hashlib.sha256(file_path.read_bytes()).digest())
    return total.hexdigest()


def scenario_digest(scenario: Scenario) -> str:
    """Short hash of a scenario's data, its seed included."""
    text = json.dumps(scenario.as_data(), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:8]
