"""Rows over a time axis that play: in the dashboard (``component``), as an HTML file (``page``)."""
