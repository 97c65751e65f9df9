"""When an edit is on, against what was observed in the official loop."""

from __future__ import annotations

import pytest
from appearance_transfer.attention.windows import (
    ADAIN,
    APPEARANCE_GUIDANCE,
    LEVEL_1,
    LEVEL_2,
    Window,
    reads_structure,
    structure_steps,
)
from appearance_transfer.guidance.appearance import guidance_scale
from appearance_transfer.tests.golden.reference import golden

RUNS = ["K100_skip32", "K100_skip0", "K50_skip16"]


@pytest.mark.parametrize("run", RUNS)
def test_windows_are_those_of_the_official_loop(run):
    rows = golden("operators", f"windows.{run}")
    for i, (_, level_2, level_1, structure, _, _, _, adain) in enumerate(rows.tolist()):
        assert LEVEL_2.contains(i) == bool(level_2), i
        assert LEVEL_1.contains(i) == bool(level_1), i
        assert reads_structure(i, LEVEL_2.first) == bool(structure), i
        assert ADAIN.contains(i) == bool(adain), i


@pytest.mark.parametrize("run", RUNS)
def test_guidance_is_that_of_the_official_loop(run):
    """fp32 values, 1e-6."""
    rows = golden("operators", f"windows.{run}")
    for i, observed in enumerate(rows[:, 4].tolist()):
        scale = guidance_scale(i, len(rows)) if APPEARANCE_GUIDANCE.contains(i) else 1.0
        assert scale == pytest.approx(observed, abs=1e-6), i


def test_structure_steps():
    """Spec check 5."""
    assert [i for i in range(68) if reads_structure(i, 11)] == [11, 16, 21, 26, 31, 36]
    assert [i for i in range(12) if reads_structure(i, 2, every=3, until=8)] == [2, 5, 8]
    assert not any(reads_structure(i, 11, every=0) for i in range(68))
    assert not any(reads_structure(i, 11, until=10) for i in range(68))


@pytest.mark.parametrize(
    ("window", "total", "steps"),
    [
        (Window(11, 70), 68, list(range(11, 68))),
        (Window(2, 4), 68, [2, 3, 4]),
        (Window(-3, 1), 68, [0, 1]),
        (Window(5, 4), 68, []),
        (Window(70, 90), 68, []),
        (Window(0, 0), 1, [0]),
    ],
)
def test_steps_in_a_run(window, total, steps):
    assert list(window.steps_in(total)) == steps
    assert [i for i in range(total) if window.contains(i)] == steps


class TestOtherRuns:
    """Windows and structure steps of the inversion's count, on runs that take other steps."""

    SECOND_HALF = range(34, 68)
    TWENTY = (0, 0, 0, 0, 3, 7, 11, 14, 18, 22, 26, 30, 34, 39, 43, 48, 53, 58, 62, 67)  # a KSampler's

    def test_on_its_own_run_a_window_is_itself(self):
        assert LEVEL_2.over(range(68)) == Window(11, 67)
        assert Window(5, 4).over(range(68)).steps_in(68) == range(0)

    def test_a_window_is_open_where_it_would_be(self):
        assert LEVEL_2.over(self.SECOND_HALF) == Window(0, 33)
        assert LEVEL_2.over(self.TWENTY) == Window(6, 19)
        assert Window(4, 20).over(self.TWENTY) == Window(5, 8)
        assert Window(0, 2).over(self.TWENTY) == Window(0, 3)
        assert Window(70, 90).over(self.TWENTY).steps_in(20) == range(0)

    def test_a_split_run_reads_the_structure_where_the_whole_one_does(self):
        whole = structure_steps(range(68), 11)
        assert whole == {11, 16, 21, 26, 31, 36}
        assert structure_steps(range(34), 11) == {step for step in whole if step < 34}
        assert {34 + step for step in structure_steps(self.SECOND_HALF, 11)} == {36}

    def test_other_runs_read_it_every_nth_of_their_steps(self):
        """Not wherever a step of theirs holds one of the inversion's, which are most of them, or none."""
        assert structure_steps(self.TWENTY, 11) == {6, 11}
        assert structure_steps(self.TWENTY, 11, every=2, until=30) == {6, 8, 10}
        assert structure_steps(self.TWENTY, 11, every=0) == set()
        assert structure_steps(self.TWENTY, 80) == set()
        assert structure_steps((), 11) == set()
