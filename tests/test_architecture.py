"""The rooms of the house: who may import what, read off the source; nothing is imported here."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1] / "twin"
FILES = sorted(ROOT.rglob("*.py"))
MOST_LINES = 350
# Tables of declarations rather than code: the schema, the named distributions, the key figures.
LONGER = {"kpis": 420}
PAGES = {"cli", "__main__"}


def name_of(path):
    """Dotted name of a module within twin; "" is twin itself."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


MODULES = {name_of(path): ast.parse(path.read_text(encoding="utf-8")) for path in FILES}


def imports(tree):
    """Full names of all that a module imports, wherever in it."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            found.add(node.module)
            # `from twin import levels` imports a module too.
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


IMPORTS = {name: imports(tree) for name, tree in MODULES.items()}


def rooms_used(name):
    """Modules of twin that a module imports, as names within twin."""
    used = {full.removeprefix("twin.") for full in IMPORTS[name] if full.startswith("twin.")}
    return {room for room in used if room in MODULES}


def imports_package(name, package):
    return any(full.split(".")[0] == package for full in IMPORTS[name])


def inside(name, *rooms):
    return any(name == room or name.startswith(f"{room}.") for room in rooms)


def test_there_is_something_to_read():
    assert {"scenario", "demand", "desk.lifecycle", "assistant.profile", "kpis"} <= set(MODULES)


@pytest.mark.parametrize(
    ("package", "rooms"),
    [
        ("simpy", ["desk"]),
        ("groq", ["assistant.groq"]),
        ("wordllama", ["assistant"]),
        ("matplotlib", ["plots", "figures", "report", "cli"]),
        ("typer", ["cli"]),
        ("flask", ["live"]),
        ("streamlit", ["live"]),
    ],
)
def test_a_package_is_known_in_its_own_room_only(package, rooms):
    users = {name for name in MODULES if imports_package(name, package)}
    assert {name for name in users if not inside(name, *rooms) and not inside(name, "cli")} == set()


def test_the_desk_alone_knows_simpy_and_the_client_alone_groq():
    simpy = {name for name in MODULES if imports_package(name, "simpy")}
    groq = {name for name in MODULES if imports_package(name, "groq")}
    assert simpy
    assert all(inside(name, "desk") for name in simpy)
    assert groq <= {"assistant.groq"}


# What each room may know of twin; rooms not named here may know all but the pages.
FOUNDATION = {
    "units", "tabular", "distributions", "sections", "scenario", "scenario_file", "faults",
    "checks",
}  # fmt: skip
ALLOWED = {
    "units": set(),
    "tabular": set(),
    "families": {"units", "tabular"},
    "distributions": {"units", "families"},
    "sections": {"units", "distributions", "sections"},
    # The last two only when asked: to vary itself, and to show itself in a notebook.
    "scenario": {"units", "distributions", "sections", "scenario_file", "display"},
    "luck": set(),
    "records": set(),
    "stats": {"stats"},
    "corpus": FOUNDATION,
    "calendars": FOUNDATION,
    "arrivals": FOUNDATION | {"luck"},
    "demand": FOUNDATION | {"luck", "arrivals", "corpus"},
    "customers": FOUNDATION | {"luck", "demand", "records"},
    "levels": FOUNDATION | {"records", "calendars"},
    "population": FOUNDATION | {"records", "calendars", "levels"},
    "kpis": FOUNDATION | {"records", "calendars", "levels", "population"},
    "assistant": FOUNDATION | {"corpus", "assistant"},
    "desk": FOUNDATION
    | {"luck", "demand", "records", "calendars", "customers", "corpus", "assistant", "desk"},
}


@pytest.mark.parametrize("room", ALLOWED)
def test_a_room_knows_only_what_lies_before_it(room):
    members = [name for name in MODULES if inside(name, room)]
    assert members
    for name in members:
        odd = {used for used in rooms_used(name) if not inside(used, *ALLOWED[room])}
        assert not odd, f"{name} imports {sorted(odd)}"


def test_nothing_imports_the_command_line():
    for name in MODULES:
        if name not in PAGES and not inside(name, "cli"):
            assert not {used for used in rooms_used(name) if inside(used, "cli")}


@pytest.mark.parametrize("name", MODULES)
def test_a_file_is_one_room_and_says_what_it_is_for(name):
    path = next(path for path in FILES if name_of(path) == name)
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines <= LONGER.get(name, MOST_LINES)
    assert ast.get_docstring(MODULES[name])


def calls(tree, name):
    return [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name
    ]


@pytest.mark.parametrize("name", [name for name in MODULES if not inside(name, "cli")])
def test_library_code_never_prints(name):
    assert not calls(MODULES[name], "print")


# Where a run is made: all its luck is the tickets', drawn in twin.luck.
OF_A_RUN = ("arrivals", "demand", "customers", "distributions", "desk", "kpis", "levels")


@pytest.mark.parametrize("name", MODULES)
def test_luck_is_the_tickets_own(name):
    found = {
        node.attr
        for node in ast.walk(MODULES[name])
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Attribute)
        and node.value.attr == "random"
    }
    # Never numpy's global generator, and a seeded one of one's own only outside of runs.
    assert found <= {"Generator", "SeedSequence", "default_rng"}
    assert not inside(name, *OF_A_RUN) or found <= {"Generator"}
    assert not inside(name, *OF_A_RUN) or not imports_package(name, "random")
    attributes = {n.attr for n in ast.walk(MODULES[name]) if isinstance(n, ast.Attribute)}
    assert "spawn" not in attributes
