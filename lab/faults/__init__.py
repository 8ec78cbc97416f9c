"""Faults on demand: what breaks, when, how often; the texts are those of a real cluster."""
