"""Engines: who speaks and judges."""
