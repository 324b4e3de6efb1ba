import os

# The two workers of pytest-xdist, each with a thread on every core, would wait for each other. torch reads this once.
os.environ.setdefault("OMP_NUM_THREADS", "1")
