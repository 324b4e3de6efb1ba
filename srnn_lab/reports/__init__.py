"""Measured results: records, tables, benchmark, and the scripts behind single numbers."""
