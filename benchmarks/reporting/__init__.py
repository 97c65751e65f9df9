"""What every benchmark leaves in benchmarks/results: tables of one form, sheets of pictures, curves."""

from pathlib import Path

RESULTS = Path(__file__).resolve().parents[1] / "results"
