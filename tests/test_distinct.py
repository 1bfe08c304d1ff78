"""Distinct numbers of many that come again and again."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from twin.common.distinct import distinct


@given(st.lists(st.integers(-5, 5) | st.integers(-(2**62), 2**62)))
def test_they_are_those_of_numpy(numbers):
    given_ = np.array(numbers, np.int64)
    found, row = distinct(given_)
    expected = np.unique(given_, return_inverse=True)
    for ours, theirs in zip((found, row), expected, strict=True):
        assert ours.tolist() == theirs.tolist()
