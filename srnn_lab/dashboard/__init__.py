"""The dashboard: one page a file, the panels that they share, and what a visitor chose."""
