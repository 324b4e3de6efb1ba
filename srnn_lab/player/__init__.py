"""Rows over one time axis that play: in the dashboard (``component``), and as one HTML file (``page``)."""
