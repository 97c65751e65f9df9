"""What every benchmark leaves in benchmarks/results: tables of one form, sheets of images, curves."""

from pathlib import Path

RESULTS = Path(__file__).resolve().parents[1] / "results"
