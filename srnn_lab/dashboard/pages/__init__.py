"""One page a module, each with ``show``."""
