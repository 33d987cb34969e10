"""Computed cards: numbers drawn from a seed, a formula, and code that checks the candidate's number."""
