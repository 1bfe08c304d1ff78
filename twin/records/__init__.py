"""The tables of a run or a history, and how they are stored."""
