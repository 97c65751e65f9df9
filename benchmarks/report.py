"""The report: every benchmark, its tables, images and curves in one page, each with what made it.

`python dev.py bench [--quick] [--reuse | --compose]` runs what benchmarks/reporting/contents.py names, each in a
process of its own, and writes report.md: in full into benchmarks/results (hours), or with --quick, few cases each, into
out/report-quick (minutes). --reuse runs only what has left no results there yet, --compose nothing. What fails, or
cannot be run here, is a sentence in the report.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from ..developer.cli_output import echo, step
from ..developer.installation import Installation
from ..developer.paths import CACHE, OUT, ROOT, contained_environment
from .reporting import RESULTS
from .reporting.claim_list import CLAIMS
from .reporting.claims import stated
from .reporting.contents import CONTENTS
from .reporting.markdown import table
from .reporting.origin import benchmarks_run, caveats, here_and_now
from .reporting.runs import Runs
from .reporting.section import ReportImage, Section, Table, Words

QUICK = OUT / "report-quick"
LOGS = CACHE / "bench"
Failures = dict[Words, str]
"""What did not finish, and why."""


def main(installation: Installation, arguments: list[str]) -> int:
    """Run the benchmarks and write the report; 1 where one of them did not finish."""
    options = _options(arguments)
    folder = QUICK if options.quick else RESULTS
    done = benchmarks_run(folder) if options.reuse else set()
    failures: Failures = {}
    for section in () if options.compose else CONTENTS:
        for words in section.quick if options.quick else section.full:
            if words[0] not in done:
                failures |= run(words, folder)
    path = folder / "report.md"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(report(folder, failures, quick=options.quick), encoding="utf-8")
    echo(f"The report is {path.relative_to(ROOT).as_posix()}.")
    return 1 if failures else 0


def run(words: Words, folder: Path) -> Failures:
    """Run one benchmark in a process of its own; nothing, or why it did not finish. Its output goes to a log."""
    out = () if folder == RESULTS else ("--out", folder.relative_to(ROOT).as_posix())
    command = [sys.executable, str(ROOT / "dev.py"), "bench", *words, *out]
    LOGS.mkdir(parents=True, exist_ok=True)
    path = LOGS / f"{words[0]}.log"
    with step(f"Running {' '.join(words)} (its output: {path.relative_to(ROOT).as_posix()})"), path.open("w") as log:
        done = subprocess.run(command, cwd=ROOT, env=contained_environment(), stdout=log, stderr=subprocess.STDOUT)
    if done.returncode == 0:
        return {}
    lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    last = lines[-1] if lines else "it said nothing"
    echo(f"It did not finish: {last}")
    return {words: last}


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
