"""The command line of benchmarks on scene pairs: which pairs, which methods, in how many processes, where to."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..reporting import RESULTS
from .pairs import FIRST_SEED


def pair_parser(name: str, about: str, pairs: int) -> argparse.ArgumentParser:
    """With --pairs, so many if left out, and --out. name: of the benchmark. about: its docstring."""
    parser = argparse.ArgumentParser(prog=f"dev.py bench {name}", description=about.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=pairs, metavar="N", help=f"how many pairs (default: {pairs})")
    parser.add_argument("--out", type=Path, default=RESULTS, metavar="DIR", help="where the results go")
    return parser


def add_first_seed(parser: argparse.ArgumentParser) -> None:
    """Other pairs than the held-out ones, on which settings are chosen."""
    parser.add_argument("--first-seed", type=int, default=FIRST_SEED, metavar="N", help="other pairs, to try things on")


def add_only(parser: argparse.ArgumentParser, what: str) -> None:
    """Some of the rows. what: they are."""
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help=f"these {what} alone; all if left out")


def add_workers(parser: argparse.ArgumentParser) -> None:
    """How many processes share the pairs out."""
    parser.add_argument("--workers", type=int, default=0, metavar="N", help="processes; chosen by the machine if 0")


def parsed(parser: argparse.ArgumentParser, arguments: list[str]) -> argparse.Namespace:
    """The options; ends the program with a sentence for numbers that cannot be."""
    options = parser.parse_args(arguments)
    if options.pairs < 1:
        parser.error("--pairs must be 1 or more")
    if getattr(options, "workers", 0) < 0:
        parser.error("--workers must not be negative")
    return options
