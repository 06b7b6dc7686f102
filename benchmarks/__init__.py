"""Measurements; ``scripts/bench NAME`` runs ``benchmarks/NAME.py``.

A figure is compared with another one of the same run: the two alternate in *rounds*, and the median over the rounds
of their ratio is what counts.  Absolute numbers are of one machine on one day.
"""
