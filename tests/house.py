"""The import graph of the house, read off the source; nothing is imported.

    python -m tests.house [FOLDER]

prints the rooms, the arrows between them, the arrows that point upward, and the circles, of this
checkout or of the package in another folder. Imports inside functions and under TYPE_CHECKING count
like all others.
"""

from __future__ import annotations

import ast
import sys
from collections import defaultdict
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1] / "twin"

# From the ground up: a room may import itself and what is named behind it.
ROOMS: dict[str, set[str]] = {
    "common": set(),
    "stats": set(),
    "scenario": {"common", "stats"},
    "records": {"common", "scenario"},
    "demand": {"common", "scenario"},
    "assistant": {"common", "stats", "scenario", "demand"},
    "desk": {"common", "scenario", "records", "demand", "assistant"},
    "measures": {"common", "stats", "scenario", "records"},
    "experiments": {
        "common", "stats", "scenario", "records", "demand", "assistant", "desk", "measures",
    },
    "history": {
        "common", "stats", "scenario", "records", "demand", "assistant", "desk", "measures",
        "experiments",
    },
    "report": {
        "common", "stats", "scenario", "records", "demand", "assistant", "measures",
        "experiments", "history",
    },
    "live": {
        "common", "stats", "scenario", "records", "demand", "assistant", "desk", "measures",
        "experiments", "history", "report",
    },
    "cli": {
        "common", "stats", "scenario", "records", "demand", "assistant", "desk", "measures",
        "experiments", "history", "report", "live",
    },
}  # fmt: skip


def name_of(path: Path, package: Path = PACKAGE) -> str:
    """Dotted name of a module within the package; "" is the package itself."""
    parts = path.relative_to(package).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


@cache
def modules(package: Path = PACKAGE) -> dict[str, ast.Module]:
    """Syntax trees of all modules, by their dotted names."""
    return {
        name_of(path, package): ast.parse(path.read_text(encoding="utf-8"))
        for path in sorted(package.rglob("*.py"))
    }


@cache
def imports(tree: ast.Module) -> set[str]:
    """Full names of all that a module imports, wherever in it."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            assert node.module is not None
            # `from twin import levels` imports a module, `from twin.desk import simulate` a name
            # of one: `arrows` knows which is which.
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def arrows(trees: dict[str, ast.Module]) -> dict[str, set[str]]:
    """Modules of the package that each module imports; the package's own names are left out."""
    found = {}
    for name, tree in trees.items():
        used = {full.removeprefix("twin.") for full in imports(tree) if full.startswith("twin.")}
        there = {full if full in trees else full.rpartition(".")[0] for full in used}
        found[name] = {other for other in there if other in trees and other != name}
    return found


def room(name: str) -> str:
    """The room of a module: its first folder, or the module itself at the top."""
    return name.partition(".")[0]


def between_rooms(graph: dict[str, set[str]]) -> dict[tuple[str, str], set[str]]:
    """Arrows between rooms, with the pairs of modules behind each."""
    found = defaultdict(set)
    for name, used in graph.items():
        for other in used:
            if room(name) != room(other) and name not in ("", "__main__"):
                found[room(name), room(other)].add(f"{name} -> {other}")
    return dict(found)


def circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Groups of more than one that reach each other (Tarjan's strongly connected components)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(name: str) -> None:
        index[name] = low[name] = len(index)
        stack.append(name)
        for other in sorted(graph.get(name, ())):
            if other not in index:
                visit(other)
                low[name] = min(low[name], low[other])
            elif other in stack:
                low[name] = min(low[name], index[other])
        if low[name] == index[name]:
            group = []
            while not group or group[-1] != name:
                group.append(stack.pop())
            if len(group) > 1:
                found.append(sorted(group))

    for name in sorted(graph):
        if name not in index:
            visit(name)
    return sorted(found)


def upward(graph: dict[str, set[str]]) -> list[str]:
    """Pairs of modules where a room imports one that it may not."""
    return sorted(
        pair
        for (here, there), pairs in between_rooms(graph).items()
        if there not in ROOMS.get(here, set())
        for pair in pairs
    )


def main(package: Path) -> None:
    """Print the figures of the graph."""
    trees = modules(package)
    graph = arrows(trees)
    rooms = {room(name) for name in trees} - {"", "__main__"}
    found = between_rooms(graph)
    names = {name for pair in found for name in pair}
    by_room = {name: {b for a, b in found if a == name} for name in names}
    lines = sum(
        len(path.read_text(encoding="utf-8").splitlines()) for path in package.rglob("*.py")
    )
    print(f"{len(rooms)} rooms, {len(trees)} files, {lines:,} lines")
    print(f"{len(found)} arrows between rooms, {sum(map(len, found.values()))} between their files")
    print(f"{len(circles(by_room))} circles of rooms, of {[len(c) for c in circles(by_room)]}")
    print(f"{len(circles(graph))} circles of files, of {[len(c) for c in circles(graph)]}")
    if rooms <= set(ROOMS):
        print(f"{len(upward(graph))} arrows that the table does not allow")
        for pair in upward(graph):
            print(f"  {pair}")
    else:
        print("other rooms than in the table: which arrows point upward cannot be said")


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else PACKAGE)
