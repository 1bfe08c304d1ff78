"""The rooms of the house: who may import what, read off the source; nothing is imported here."""

import ast
import re

import pytest
from house import PACKAGE, ROOMS, arrows, circles, imports, modules, name_of, room, upward

# A file holds one concept. One with more lines than this was looked at, and stays whole because:
MOST_LINES = 400
LONGER = {
    "experiments.studies.findings": (410, "findings in memory, on disk and in tables: one shape"),
}


def imports_package(name, package):
    return any(full.split(".")[0] == package for full in imports(modules()[name]))


def inside(name, *rooms):
    return any(name == room or name.startswith(f"{room}.") for room in rooms)


def test_there_is_something_to_read():
    assert {"scenario.model", "desk.lifecycle", "assistant.profile", "cli.app"} <= set(modules())
    assert len(arrows(modules())["cli.app"]) > 5


def test_the_rooms_are_those_of_the_table():
    assert {room(name) for name in modules()} == {"", "__main__", *ROOMS}
    at_the_top = {path.name for path in PACKAGE.iterdir() if path.is_file()}
    assert at_the_top == {"__init__.py", "__main__.py", "README.md", "py.typed"}


def test_no_room_imports_one_that_it_may_not():
    assert upward(arrows(modules())) == []


def test_there_are_no_circles():
    assert circles(arrows(modules())) == []


def test_every_import_of_the_package_is_of_a_module_or_of_a_name_in_one():
    known = modules()
    for name, tree in known.items():
        for full in imports(tree):
            if full.startswith("twin."):
                inner = full.removeprefix("twin.")
                assert inner in known or inner.rpartition(".")[0] in known, (name, full)


@pytest.mark.parametrize(
    ("package", "rooms"),
    [
        ("simpy", ["desk"]),
        ("numba", ["desk.compiled"]),
        ("groq", ["assistant.live.groq"]),
        ("tokenizers", ["assistant.knowledge.embedding"]),
        ("matplotlib", ["report", "cli"]),
        ("typer", ["cli"]),
        ("flask", ["live"]),
        ("streamlit", ["live.page"]),
    ],
)
def test_a_package_is_known_in_its_own_room_only(package, rooms):
    users = {name for name in modules() if imports_package(name, package)}
    assert users
    assert {name for name in users if not inside(name, *rooms)} == set()


def test_a_file_is_one_concept_and_says_what_it_is_for():
    lines = {
        name_of(path): len(path.read_text(encoding="utf-8").splitlines())
        for path in PACKAGE.rglob("*.py")
    }
    most = {name: LONGER.get(name, (MOST_LINES,))[0] for name in lines}
    assert {name: number for name, number in lines.items() if number > most[name]} == {}
    assert [name for name, tree in modules().items() if not ast.get_docstring(tree)] == []


def calls(tree, name):
    return [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name
    ]


def test_library_code_never_prints():
    library = {name: tree for name, tree in modules().items() if not inside(name, "cli")}
    assert [name for name, tree in library.items() if calls(tree, "print")] == []


# Where a run is made: all its luck is the tickets', drawn in demand.luck.
OF_A_RUN = ("demand", "desk", "scenario", "measures", "records")


def test_luck_is_the_tickets_own():
    for name, tree in modules().items():
        attributes = [node for node in ast.walk(tree) if isinstance(node, ast.Attribute)]
        found = {
            node.attr
            for node in attributes
            if isinstance(node.value, ast.Attribute) and node.value.attr == "random"
        }
        # Never numpy's global generator, and a seeded one of one's own only outside of runs.
        assert found <= {"Generator", "SeedSequence", "default_rng"}, name
        if inside(name, *OF_A_RUN) and name != "demand.luck":
            assert found <= {"Generator"}, name
            assert not imports_package(name, "random"), name
        assert "spawn" not in {node.attr for node in attributes}, name


def public_docstrings(tree, name):
    """Names and docstrings of a module and of what is public in it."""
    yield name, ast.get_docstring(tree) or ""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and not node.name.startswith("_"):
            yield from public_docstrings(node, f"{name}.{node.name}")


def test_public_docstrings_open_with_a_noun_or_a_verb():
    questions = r"(What(?!-if)|Who|How|Which|Whose|Whatever|Whoever|On which)\b"
    found = (one for name, tree in modules().items() for one in public_docstrings(tree, name))
    assert [place for place, text in found if re.match(questions, text)] == []


def counts(element):
    """True if what is summed is whole numbers for everybody to see: truths, lengths, integers."""
    if isinstance(element, ast.Compare | ast.BoolOp):
        return True
    if isinstance(element, ast.UnaryOp):
        return isinstance(element.op, ast.Not)
    if isinstance(element, ast.Call) and isinstance(element.func, ast.Name):
        whole = (
            element.args and isinstance(element.args[0], ast.Name) and element.args[0].id == "len"
        )
        return element.func.id in ("len", "int", "bool") or (element.func.id == "map" and whole)
    return False


def summed(call):
    """Values that a call of the builtin `sum` adds up."""
    first = call.args[0]
    return first.elt if isinstance(first, ast.GeneratorExp | ast.ListComp) else first


# Calls of the builtin `sum` whose items are whole numbers or arrays all the same, by module.
OTHER_SUMS = {
    "assistant.judging.model_judge": ["reply.prompt_tokens + reply.completion_tokens"],
    "assistant.live.fetching": ["one.completion_tokens", "one.prompt_tokens"],
    # Of the wall clock, and of tokens: no figure hangs on its last bit.
    "assistant.live.pacing": ["float(number) * _SECONDS[unit]", "sent"],
    "cli.record": ["tally.failed.values()", "tally.failed.values()"],
    "common.text": ["f'.{other}'.endswith(f'.{short}')"],
    "experiments.record": ["ask.prompt_tokens", "ask.room", "min(_USUAL[ask.step] + "
                           "model.reasoning_tokens // 2, ask.room)", "tally.failed.values()"],
    "experiments.results": ["getattr(run, name)"],
    "experiments.run": ["one.asked", "one.asked"],
    "experiments.studies.conclusion": ["judged.replications"],
    "experiments.workload": ["np.diff(p.integral(edges))"],
    "history.live_scenario": ["t['use_rag']"],
    "live.bodies": ["call['completion_tokens']", "call['prompt_tokens']"],
    "live.store": ["fresh", "fresh"],
    "stats.differences": ["divide(s ** 2, np.maximum(f, 1))",
                          "jackknife_variance(*sums.without_cells())"],
    "stats.feasibility": ["map(self.size, range(len(self.played)))", "size - self.size(one)"],
}  # fmt: skip


def test_floats_are_summed_in_one_way():
    # Up to Python 3.11 the builtin adds floats up as they come, from 3.12 on it compensates: the
    # last bit would hang on the version.
    for name, tree in modules().items():
        odd = [ast.unparse(summed(c)) for c in calls(tree, "sum") if not counts(summed(c))]
        assert sorted(odd) == sorted(OTHER_SUMS.get(name, ())), name
