"""An inspected clip as arrays: its KL, its changes, what an edit or another z does to it."""
