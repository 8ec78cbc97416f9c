"""MEASURES: plan, engine and lab, each beside its bound and a peer in the same run.

`python -m bench plan|engine|lab` writes `bench/results.json` and, from it, `bench/RESULTS.md`.
"""
