"""Colours for light and dark pages that colour-blind eyes tell apart (after Okabe and Ito)."""

SIGNAL, KL, MEAN, LOGVAR, CHANGE = "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#888888"
PRIOR, POSTERIOR = SIGNAL, KL
MEASURED, PUBLISHED = "#3b8fd0", "#d9822b"
"""Blue and orange, which those who see red and green alike tell apart; the shapes differ too."""
OVERLAID = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#9030f0")
"""Colours of lines that are drawn over each other."""
COLOURS = (SIGNAL, KL, MEAN, LOGVAR, "#d98c2b", CHANGE)
"""Colours of lines in a chart, in their order."""
NOTES = [f"{SIGNAL}00", SIGNAL]
"""A silent note is transparent."""
SIGNED = [f"{KL if i < 0 else SIGNAL}{abs(i) * 2:02x}" for i in range(-127, 128)]
"""From orange over nothing, for 0, to blue."""
VIRIDIS = [
    "#440154", "#482878", "#3e4989", "#31688e", "#26828e",
    "#1f9e89", "#35b779", "#6ece58", "#b5de2b", "#fde725",
]  # fmt: skip
MAGMA = [
    "#000004", "#180f3d", "#440f76", "#721f81", "#9e2f7f",
    "#cd4071", "#f1605d", "#fd9668", "#feca8d", "#fcfdbf",
]  # fmt: skip
"""Ever brighter, so that they read without colour; by Smith and van der Walt, as in Matplotlib."""
