"""Runs the day: the command line, the engine, the lab's process, and what is checked before."""
