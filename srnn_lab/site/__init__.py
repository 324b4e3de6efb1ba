"""The notebooks as they are stored, for pages that show them."""
