"""Maximising a bound: a run from its first update to its last, and the folders of runs."""
