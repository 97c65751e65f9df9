"""Measures on IMAGEs and MASKs."""
