"""The schema's history: linear, forward only, the same on both databases."""
