"""The pages of the dashboard, a file each; ``shared`` is what they have in common."""
