"""What every benchmark leaves in benchmarks/results: tables of one form, and sheets of pictures."""

from pathlib import Path

RESULTS = Path(__file__).resolve().parents[1] / "results"
