"""Run the tests of a file in a process of its own, and report them as if they had run here.

ComfyUI looks for its GPU once, when it is imported, and other tests of this process have imported it without one.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from appearance_transfer.developer.paths import contained_environment

VARIABLE = "APPEARANCE_TRANSFER_PRETENDED_GPU"  # in the process of its own: the file that takes the reports
REPORTS = pytest.StashKey[dict[Path, dict[str, list[pytest.TestReport]]]]()


def is_this() -> bool:
    """Whether this is the process of its own."""
    return VARIABLE in os.environ


def write(report: pytest.TestReport) -> None:
    """Leave a report for the process that started this one."""
    with open(os.environ[VARIABLE], "a", encoding="utf-8") as file:
        file.write(json.dumps(report._to_json(), default=str) + "\n")


def reports_of(item: pytest.Item) -> list[pytest.TestReport]:
    """What became of a test. The first one of a file runs all that were chosen of it."""
    known = item.config.stash.setdefault(REPORTS, {})
    if item.path not in known:
        known[item.path] = _run(item.config, [other.nodeid for other in item.session.items if other.path == item.path])
    return known[item.path][item.nodeid]


def _run(config: pytest.Config, tests: list[str]) -> dict[str, list[pytest.TestReport]]:
    found: dict[str, list[pytest.TestReport]] = {test: [] for test in tests}
    with tempfile.TemporaryDirectory() as folder:
        written = Path(folder) / "reports"
        written.touch()
        # A real GPU is kept out of sight.
        environment = contained_environment() | {VARIABLE: str(written), "CUDA_VISIBLE_DEVICES": ""}
        command = [sys.executable, "-P", "-m", "pytest", "-p", "no:xdist", *tests]
        ended = subprocess.run(command, cwd=config.rootpath, env=environment, capture_output=True, text=True)
        for line in written.read_text(encoding="utf-8").splitlines():
            report = pytest.TestReport._from_json(json.loads(line))
            found[report.nodeid].append(report)
    for test, reports in found.items():
        if not any(report.when == "teardown" for report in reports):  # the process ended in the middle
            why = f"The process with the pretended GPU ended ({ended.returncode}).\n{ended.stdout}\n{ended.stderr}"
            reports.append(pytest.TestReport(test, (test, 0, test), {}, "failed", why, "call"))
    return found
