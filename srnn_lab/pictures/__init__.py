"""Arrays as pictures: rows over one time axis, charts, SVG."""
