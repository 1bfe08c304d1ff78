"""The tree of errors: every one is a TwinError, and stands in the drawing in common/errors.py."""

import ast
import builtins
from functools import cache

from house import modules

# Interruptions and warnings are no errors.
ROOTS = {
    name
    for name, kind in vars(builtins).items()
    if isinstance(kind, type) and issubclass(kind, Exception) and not issubclass(kind, Warning)
}


@cache
def bases():
    """Names of the classes that each class of the package is made of."""
    return {
        node.name: [base.id for base in node.bases if isinstance(base, ast.Name)]
        for tree in modules().values()
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
    }


def is_error(name):
    return name in ROOTS or any(is_error(base) for base in bases().get(name, ()))


def drawn():
    """Bases of each error by the drawing: the error above it, and the built-in named behind it."""
    found, above = {}, []
    text = ast.get_docstring(modules()["common.errors"])
    for line in text.splitlines():
        depth = len(line) - len(line.lstrip())
        if not depth:
            continue
        # Names, two spaces or more, words; of the words the first may be a built-in error.
        parts = line[depth:].replace(", ", ",").split("  ")
        names, words = parts[0].split(","), " ".join(filter(None, parts[1:])).split()
        above = above[: depth // 4 - 1]
        for name in names:
            found[name] = [*above[-1:], *(word for word in words[:1] if word in ROOTS)]
        above.append(names[0])
    return found


def test_each_error_of_the_package_is_in_the_drawing_and_nothing_else_is():
    errors = {name: of for name, of in bases().items() if is_error(name)}
    assert len(errors) > 40
    errors["TwinError"] = []
    assert drawn() == errors


def test_each_error_is_a_twin_error():
    def is_ours(name):
        return name == "TwinError" or any(is_ours(base) for base in bases().get(name, ()))

    assert [name for name in bases() if is_error(name) and not is_ours(name)] == []


def test_names_of_errors_are_used_once():
    names = [
        node.name
        for tree in modules().values()
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef) and is_error(node.name)
    ]
    assert len(names) == len(set(names))
