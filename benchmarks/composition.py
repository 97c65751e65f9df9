"""What works beside a transfer, as tests find it: docs/composition.md.

`python dev.py bench composition` runs tests/host/test_composition.py and writes the table anew. The same tests fail
where the table is not what they find.
"""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from ..developer.cli_output import CliError, echo
from ..developer.installation import Installation
from ..developer.paths import ROOT

TESTS = ROOT / "tests" / "host" / "test_composition.py"
DOCUMENT = ROOT / "docs" / "composition.md"
PROPERTY = "composition"  # under which a test says its row
HEADS = ("node or pack", "where it is put", "under CFG Guider", "under Appearance Guider")
ABOUT = """\
# Beside other nodes

What comes of Cross-Image Attention together with other nodes of the MODEL, the CONDITIONING and the sampling, on a
small network of random weights. *Works* means that the result differs from that of each of the two alone (by more than
1e-3, where rounding is 1e-5), whether the node on the MODEL is put before the transfer or after it, and that nothing is
said about it. Everything else is the sentence that the run ends with or writes to the log and onto the node. Stand-ins
for packs hook in as these do and pick what they hold for prompt 0 and prompt 1 from a pair.

References are run without all of these, except for a LoRA, on the MODEL or as hooks of the text. For a guider, the
one cell says what comes of it. The table is written by tests from what really ran: `python dev.py bench composition`.

"""


class Rows:
    """A plugin of pytest that keeps the rows that tests say."""

    def __init__(self) -> None:
        self.rows: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call":
            self.rows += [line(cells) for name, cells in report.user_properties if name == PROPERTY]


def main(installation: Installation, arguments: list[str]) -> int:
    """Run the tests, write the table, say it."""
    if arguments:
        raise CliError(f"composition takes no words, but there are: {' '.join(arguments)}.")
    rows = Rows()
    pytest.main(["-q", "--rootdir", str(ROOT), "-c", str(ROOT / "pyproject.toml"), str(TESTS)], plugins=[rows])
    if not rows.rows:
        raise CliError("No test came to a result.")
    DOCUMENT.write_text(document(rows.rows), encoding="utf-8", newline="\n")
    echo("\n".join(rows.rows))
    return 0


def document(rows: Sequence[str]) -> str:
    """The whole file, from the lines of its table."""
    return ABOUT + "\n".join([line(HEADS), "|---" * len(HEADS) + "|", *rows]) + "\n"


def line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
