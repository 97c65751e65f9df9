"""Does the whole field find the same spot better than each position alone? Held-out pocket pairs, step by step.

`python dev.py bench field [--pairs N]` writes results/field.csv: PCK@0.1 of fused features by every method, and by the
field with one of its steps left out or replaced; how far each row lies from the field and from what the silhouettes
alone find, pair by pair; means with 95 % bootstrap intervals over pairs. And results/field_reliability.csv: of the
matches that are said to be so sure, how many are right; and field_failures.png, the pairs that it matches worst.
Settings were chosen on other pairs, with --first-seed 800000.

`--transformer` writes field_transformer.csv alone: the pocket transformer's features beside those of the U-Net for 256
px, by every method, with the appearance as it is and moved by a quarter of its size, so that positions cannot help.
"""

from __future__ import annotations

import argparse

import torch

from ..developer.cli_output import echo
from ..developer.in_process import Host
from ..developer.installation import Installation
from ..developer.server import temporary_home
from .matches.failures import write_failures
from .reporting.table import as_text, write_table
from .transfers.pair_options import add_first_seed, pair_parser, parsed
from .transfers.pairs import SIZE, ScenePair, held_out_pairs, rendered


def main(installation: Installation, arguments: list[str]) -> int:
    """Measure every row, write the tables, say them."""
    options = _options(arguments)
    pairs = held_out_pairs(options.pairs, options.first_seed)
    with temporary_home() as home, torch.inference_mode():
        Host(installation.host, home)
        if options.transformer:
            return _on_the_transformer(pairs, options)
        from .matches.by_field import measured

        truth = rendered(pairs, SIZE)
        found = measured(truth)
    write_failures(options.out / "field_failures.png", found.worst)
    for name, table in (("field", found.values), ("field_reliability", found.reliability)):
        write_table(options.out / f"{name}.csv", table)
        echo(as_text(table))
    return 0


def _on_the_transformer(pairs: list[ScenePair], options: argparse.Namespace) -> int:
    from .matches.rows_at_256 import rows_at_256

    table = rows_at_256(pairs)
    write_table(options.out / "field_transformer.csv", table)
    echo(as_text(table))
    return 0


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = pair_parser("field", __doc__ or "", 64)
    add_first_seed(parser)
    parser.add_argument("--transformer", action="store_true", help="features of the pocket transformer, at 256 px")
    return parsed(parser, arguments)
