"""Every public function and method has an example; `test_docs.py` runs them all."""

import inspect

import pytest

import twin

ROOMS = {"twin": twin, "twin.plots": twin.plots, "twin.report": twin.report,
         "twin.series": twin.series}  # fmt: skip
FUNCTIONS = {
    f"{where}.{name}": getattr(room, name)
    for where, room in ROOMS.items()
    for name in room.__all__
    if inspect.isfunction(getattr(room, name))
}
CLASSES = [one for name in twin.__all__ if inspect.isclass(one := getattr(twin, name))]
METHODS = {
    f"{one.__name__}.{name}": method
    for one in CLASSES
    for name, method in vars(one).items()
    # What pydantic adds to a model is not ours to explain.
    if inspect.isfunction(method) and not name.startswith(("_", "model_"))
}
PUBLIC = FUNCTIONS | METHODS


def test_there_are_some():
    assert {"twin.run", "twin.plots.backlog", "twin.series.statuses", "Scenario.vary"} <= set(
        PUBLIC
    )


@pytest.mark.parametrize("name", PUBLIC)
def test_has_an_example(name):
    assert ">>> " in (inspect.getdoc(PUBLIC[name]) or "")
