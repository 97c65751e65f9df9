"""One calm line in a terminal, plain lines in a log file."""

import io
import sys

import pytest
from appearance_transfer.developer.progress_line import CALM, GraphProgress, ProgressLine

GRAPH = {
    "invert": {"class_type": "AppearanceTransfer_InvertImage", "inputs": {}},
    "decode": {"class_type": "VAEDecode", "inputs": {}},
}


class Output(io.StringIO):
    """A terminal, or a file."""

    def __init__(self, terminal: bool) -> None:
        super().__init__()
        self.isatty = lambda: terminal


class Clock:
    """Time that stands still until it is moved on."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def printed(monkeypatch, clock: Clock, terminal: bool) -> str:
    """What is written for a graph whose first node takes three steps of five seconds, and its second no time."""
    output = Output(terminal)
    monkeypatch.setattr(sys, "stdout", output)
    with ProgressLine(clock) as line:
        progress = GraphProgress(GRAPH, line, clock)
        progress.watch("executing", {"node": "invert"})
        for step in (1, 2, 3):
            clock.now += 5
            progress.watch("progress", {"node": "invert", "value": step, "max": 3})
        for node in ("decode", None):
            progress.watch("executing", {"node": node})
    return output.getvalue()


def test_a_log_file_has_a_line_for_what_took_long(monkeypatch, clock) -> None:
    assert printed(monkeypatch, clock, terminal=False) == "invert (InvertImage): 15 s\n"


def test_a_terminal_has_one_line_which_is_gone_in_the_end(monkeypatch, clock) -> None:
    written = printed(monkeypatch, clock, terminal=True)
    assert "\n" not in written
    assert "invert (InvertImage): 2 of 3, 10 s" in written
    assert written.endswith("\r")
    assert not written.split("\r")[-2].strip()


def test_a_terminal_is_not_rewritten_all_the_time(monkeypatch, clock) -> None:
    output = Output(terminal=True)
    monkeypatch.setattr(sys, "stdout", output)
    with ProgressLine(clock) as line:
        for _ in range(100):
            clock.now += CALM / 10
            line.show("running")
    assert 5 <= output.getvalue().count("running") <= 12


def test_a_line_fits_the_terminal(monkeypatch, clock) -> None:
    output = Output(terminal=True)
    monkeypatch.setattr(sys, "stdout", output)
    monkeypatch.setenv("COLUMNS", "20")
    with ProgressLine(clock) as line:
        line.show("x" * 100)
    assert max(map(len, output.getvalue().split("\r"))) == 19
