"""Every public function has an example; `test_docs.py` runs them all."""

import inspect

import pytest

import twin

FUNCTIONS = [name for name in twin.__all__ if inspect.isfunction(getattr(twin, name))]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_has_an_example(name):
    assert ">>> " in (inspect.getdoc(getattr(twin, name)) or "")
