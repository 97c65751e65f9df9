"""Does the whole field find the same spot better than each position alone? Held-out pocket pairs, step by step.

`python dev.py bench field [--pairs N]` writes results/field.csv: PCK@0.1 of fused features by every method and with one
step of the field left out, beside what the silhouette alone finds, means with 95 % bootstrap intervals over pairs; and
results/field_reliability.csv: of the matches that are said to be so sure, how many are right. Settings were chosen on
other pairs, with --first-seed 800000.
"""

from __future__ import annotations

import argparse

import torch

from ..developer.cli_output import echo
from ..developer.in_process import Host
from ..developer.installation import Installation
from ..developer.server import temporary_home
from .reporting.table import as_text, write_table
from .transfers.pair_options import add_first_seed, pair_parser, parsed
from .transfers.pairs import SIZE, held_out_pairs, rendered


def main(installation: Installation, arguments: list[str]) -> int:
    """Measure every row, write the tables, say them."""
    options = _options(arguments)
    truth = rendered(held_out_pairs(options.pairs, options.first_seed), SIZE)
    with temporary_home() as home, torch.inference_mode():
        Host(installation.host, home)
        from .matches.by_field import measured

        values, reliability = measured(truth)
    for name, table in (("field", values), ("field_reliability", reliability)):
        write_table(options.out / f"{name}.csv", table)
        echo(as_text(table))
    return 0


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = pair_parser("field", __doc__ or "", 64)
    add_first_seed(parser)
    return parsed(parser, arguments)
