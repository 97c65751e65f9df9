"""A plugin of pytest that writes down what tests against golden tensors find.

Such a test is known by what it reads: tests/golden/reference.py logs every tensor that it hands out, and every
difference that was measured; what torch.testing.assert_close compares is measured here.
"""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

import pytest
import torch
from torch import Tensor

READ, DIFFERENCE = "golden tensor", "difference"
"""How the messages of tests/golden/reference.py begin."""
LOGGER = "appearance_transfer.golden"
Owner = tuple[str, str]
"""A test or a fixture: its file, its name."""


@dataclass
class Difference:
    """differences: the largest one of each comparison, over the largest value. outcome: passed, failed or skipped."""

    differences: list[float] = field(default_factory=list)
    outcome: str = "skipped"


class Recorder(logging.Handler):
    """tests: what was found, by (file, test), of every test that read a golden tensor itself or by a fixture.

    differences: of the test that is running.
    """

    def __init__(self) -> None:
        super().__init__()
        self.tests: dict[Owner, Difference] = {}
        self.differences: list[float] = []
        self._found: dict[str, Difference] = {}
        self._readers: set[Owner] = set()
        self._working: list[Owner] = []

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Hear what tests log, and let nobody else hear it: some tests look at all that is logged."""
        log = logging.getLogger(LOGGER)
        before = log.level, log.propagate
        log.setLevel(logging.DEBUG)
        log.propagate = False
        log.addHandler(self)
        try:
            with patch.object(torch.testing, "assert_close", self._measured(torch.testing.assert_close)):
                yield
        finally:
            log.removeHandler(self)
            log.setLevel(before[0])
            log.propagate = before[1]

    def emit(self, record: logging.LogRecord) -> None:
        if record.msg.startswith(READ):
            self._readers.update(self._working)
        elif record.msg.startswith(DIFFERENCE) and isinstance(record.args, tuple):
            self.differences.append(float(str(record.args[0])))

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: Any, request: Any) -> Generator[None, object, object]:
        self._working.append((str(request.node.path), fixturedef.argname))
        try:
            return (yield)
        finally:
            self._working.pop()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        test = str(item.path), item.name.partition("[")[0]
        self._working, self.differences = [test], []
        self._found[item.nodeid] = Difference()
        try:
            return (yield)
        finally:
            fixtures = {(test[0], name) for name in getattr(item, "fixturenames", ())}
            if self._readers & {test, *fixtures}:
                self.keep(test, self._found[item.nodeid])

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" or not report.passed:
            self._found[report.nodeid].outcome = report.outcome
            self._found[report.nodeid].differences = self.differences

    def keep(self, test: Owner, found: Difference) -> None:
        """Cases of one test are one."""
        known = self.tests.setdefault(test, Difference(outcome=found.outcome))
        known.differences += found.differences
        if "failed" in (known.outcome, found.outcome):
            known.outcome = "failed"
        elif "skipped" in (known.outcome, found.outcome) and known.outcome != found.outcome:
            known.outcome = "passed, some cases skipped"

    def _measured(self, assert_close: Any) -> Any:
        def compare(actual: Any, expected: Any, **options: Any) -> None:
            self.differences += _differences(actual, expected)
            assert_close(actual, expected, **options)

        return compare


def _differences(actual: Any, expected: Any) -> list[float]:
    """Of tensors of one shape, or of sequences and mappings of them."""
    if isinstance(actual, Tensor) and isinstance(expected, Tensor):
        if actual.shape != expected.shape or not actual.numel() or not expected.is_floating_point():
            return []
        apart, largest = (actual.double() - expected.double()).abs().max(), expected.double().abs().max()
        return [float(apart / largest if largest else apart)]
    if isinstance(actual, dict):
        return [one for name in actual for one in _differences(actual[name], expected[name])]
    if isinstance(actual, list | tuple):
        return [one for pair in zip(actual, expected, strict=True) for one in _differences(*pair)]
    return []
