"""The report: every benchmark, its tables, images and curves in one page, each with what made it.

`python dev.py bench [--quick] [--reuse | --compose]` runs what benchmarks/reporting/contents.py names, each in a
process of its own and as many at a time as there are cores, and writes report.md and what it shows into out/report, or
with --quick, few cases each, into out/report-quick (minutes). When a whole one has ended well, it takes the place of
the one in benchmarks/results, so that all of its tables are of one run. --reuse runs only what has left no results in
the folder yet, as after a stop; --compose runs nothing and writes the page in benchmarks/results anew. What fails, or
cannot be run here, is a sentence in the report; report_minutes.csv says how long each benchmark took, and all of them
together.
"""

from __future__ import annotations

import argparse
import csv
import shutil
import time
from collections.abc import Sequence
from pathlib import Path

from ..developer.cli_output import echo
from ..developer.installation import Installation
from ..developer.paths import OUT, ROOT
from .reporting import RESULTS
from .reporting.claim_list import CLAIMS
from .reporting.claims import stated
from .reporting.contents import CONTENTS
from .reporting.markdown import table
from .reporting.origin import benchmarks_run, caveats, here_and_now
from .reporting.running import Done, run_sections, short
from .reporting.runs import Runs
from .reporting.section import ReportImage, Section, Table, Words
from .reporting.table import write_rows

QUICK, WHOLE = OUT / "report-quick", OUT / "report"
MINUTES = "report_minutes.csv"
Failures = dict[Words, str]
"""What did not finish, and why."""


def main(installation: Installation, arguments: list[str]) -> int:
    """Run the benchmarks and write the report; 1 where one of them did not finish."""
    options = _options(arguments)
    if options.compose:
        return write_report(RESULTS, {}, quick=False)
    folder = QUICK if options.quick else WHOLE
    if not options.reuse:
        shutil.rmtree(folder, ignore_errors=True)
    started = time.monotonic()
    out = ("--out", folder.relative_to(ROOT).as_posix())
    done = run_sections(to_run(folder, options), out, known_minutes(RESULTS / MINUTES))
    if not options.reuse:
        write_minutes(folder / MINUTES, done, time.monotonic() - started)
    failures = {run.words: run.failure for run in done if run.failure}
    code = write_report(folder, failures, quick=options.quick)
    if not (options.quick or failures):
        replace_results(folder, RESULTS)
    return code


def write_report(folder: Path, failures: Failures, *, quick: bool) -> int:
    """Write the page of the results in `folder`; 1 where one of them failed."""
    path = folder / "report.md"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(report(folder, failures, quick=quick), encoding="utf-8")
    echo(f"The report is {path.relative_to(ROOT).as_posix()}.")
    return 1 if failures else 0


def replace_results(whole: Path, results: Path) -> None:
    """Put the files of one whole report in the place of an earlier one's; folders in there stay."""
    for old in results.iterdir():
        if old.is_file():
            old.unlink()
    shutil.copytree(whole, results, dirs_exist_ok=True)


def to_run(folder: Path, options: argparse.Namespace) -> list[tuple[Section, list[Words]]]:
    """The benchmarks of every section; with --reuse, those that have left nothing in `folder` yet."""
    done = benchmarks_run(folder) if options.reuse else set()
    return [
        (section, [words for words in (section.quick if options.quick else section.full) if words[0] not in done])
        for section in CONTENTS
    ]


def known_minutes(path: Path) -> dict[str, float]:
    """How long each benchmark took in the report whose `write_minutes` wrote this file; empty where there is none."""
    if not path.is_file():
        return {}
    with path.open(newline="", encoding="ascii") as file:
        _, *rows = csv.reader(file)
    return {name: float(minutes) for name, minutes in rows}


def write_minutes(path: Path, done: Sequence[Done], seconds: float) -> None:
    """Write how long each benchmark took, and all together on the clock."""
    lines = [(short(run.words), f"{run.seconds / 60:.1f}") for run in done]
    write_rows(path, ("benchmark", "minutes"), [*lines, ("all, several at a time", f"{seconds / 60:.1f}")])


def report(folder: Path, failures: Failures, *, quick: bool) -> str:
    """The whole page, from the results that lie in `folder`."""
    origin = here_and_now()
    head = [
        "# Benchmark report",
        f"Composed by {origin}.",
        "The number behind every table and image leads to its run at the end of this page: command, day, commit, "
        "machine, versions. `mean [low, high]`: 95 % bootstrap intervals (BCa) over the n cases. The pocket world is a "
        "test bench with toy animals: its numbers compare methods with one another, they are no claim about Stable "
        "Diffusion.",
    ]
    if quick:
        head.append(
            "This is the quick report: so few cases that the intervals are wide, or none. It shows that everything "
            "runs; `python dev.py bench` makes the full one, benchmarks/results/report.md."
        )
    head += [f"**{caveat}** That concerns {', '.join(names)}." for caveat, names in caveats(folder).items()]
    head.append("\n".join(f"{number}. {section.title}" for number, section in enumerate(CONTENTS, 1)))
    if metadata := stated(folder, CLAIMS):
        head += ["## In short", "\n".join(f"- {fact}" for fact in metadata)]
    runs = Runs()
    bodies = [part for section in CONTENTS for part in paragraphs(folder, section, failures, runs, quick=quick)]
    return "\n\n".join([*head, *bodies, "## Runs", runs.listed()]) + "\n"


def paragraphs(folder: Path, section: Section, failures: Failures, numbered: Runs, *, quick: bool) -> list[str]:
    """One section: what it is about, what went wrong, what there is. numbered: takes in the runs that it names."""
    runs = section.quick if quick else section.full
    parts = [f"## {section.title}", section.about]
    parts += [
        f"`python dev.py bench {' '.join(words)}` did not finish: {failures[words]}"
        for words in runs
        if words in failures
    ]
    for item in section.shows:
        for path in files(folder, item):
            parts += exhibit(path, item, numbered)
    if not any(files(folder, item) for item in section.shows):
        commands = ", ".join(f"`python dev.py bench {' '.join(words)}`" for words in section.full)
        parts.append(f"Not in this {'quick ' if quick else ''}report. {commands} would fill this section.")
    return parts


def exhibit(path: Path, item: Table | ReportImage, numbered: Runs) -> list[str]:
    """A table or an image, the sentence above it, and which runs it comes from; nothing for a table without rows."""
    body = table(path, item) if isinstance(item, Table) else f"![{item.about}]({path.name})"
    if not body:
        return []
    about = [item.about] if item.about else []
    return [*about, body, f"<sub>[{path.name}]({path.name}), {numbered.behind(path)}</sub>"]


def files(folder: Path, item: Table | ReportImage) -> list[Path]:
    """The results that there are of what is to be shown."""
    return sorted(folder.glob(item.file))


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="dev.py bench", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="few cases each, minutes instead of hours")
    parser.add_argument("--reuse", action="store_true", help="run only what has left no results yet")
    parser.add_argument("--compose", action="store_true", help="run nothing: write the page of the results there are")
    return parser.parse_args(arguments)
