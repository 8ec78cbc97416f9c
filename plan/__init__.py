"""Decides: a site and an event, as written, become a plan in which nothing is left to choose.

Pure and frozen: no module here reads a file, a clock, a network or an environment variable, so
that the same stack file always gives the same plan.
"""
