"""When an edit is on, against what was observed in the official loop."""

from __future__ import annotations

import math

import pytest
from appearance_transfer.attention.windows import (
    ADAIN,
    APPEARANCE_GUIDANCE,
    ATTENTION,
    DEVIATION,
    MATCHES_AT,
    SEGMENTATION_AT,
    WORD_MAP_AT,
    StepWindows,
    Window,
    step_at_percent,
)
from appearance_transfer.guidance.appearance import guidance_scale
from appearance_transfer.inversion.schedule import leading_timesteps
from appearance_transfer.tests.golden.reference import golden
from appearance_transfer.tests.inversion.stable_diffusion import scaled_linear_alpha_bar
from hypothesis import given
from hypothesis import strategies as st

SIGMAS = [math.sqrt((1 - a) / a) for a in scaled_linear_alpha_bar().tolist()]


def percent_to_sigma(percent: float) -> float:
    """As that of Stable Diffusion in ComfyUI: the noise level of a timestep, between two of them in log sigma."""
    if percent <= 0:
        return 999999999.9
    if percent >= 1:
        return 0.0
    timestep = (1 - percent) * 999
    low = int(timestep)
    part = timestep - low
    return math.exp((1 - part) * math.log(SIGMAS[low]) + part * math.log(SIGMAS[min(low + 1, 999)]))


def run(steps: int, start_at: int = 0) -> list[float]:
    """The noise levels of a run that leaves out its first steps."""
    return [*(SIGMAS[t] for t in leading_timesteps(steps)[start_at:]), 0.0]


PAPER = run(100, 32)


def test_windows_are_those_of_the_official_loop() -> None:
    """At the papers' settings; at others a window stays where it is in the schedule, and theirs does not."""
    rows = golden("operators", "windows.K100_skip32").tolist()
    windows = StepWindows.of(PAPER, percent_to_sigma)
    for i, (_, level_2, level_1, structure, _, _, _, adain) in enumerate(rows):
        assert (i in windows.reading) == bool(level_2) == bool(level_1), i
        assert (i in windows.structural) == bool(structure), i
        assert ADAIN.contains(PAPER[i], percent_to_sigma) == bool(adain), i


def test_guidance_is_that_of_the_official_loop() -> None:
    """fp32 values, 1e-6."""
    rows = golden("operators", "windows.K100_skip32")
    for i, observed in enumerate(rows[:, 4].tolist()):
        on = APPEARANCE_GUIDANCE.contains(PAPER[i], percent_to_sigma)
        scale = guidance_scale(i, len(rows)) if on else 1.0
        assert scale == pytest.approx(observed, abs=1e-6), i


def test_attention_is_read_where_the_papers_read_it() -> None:
    """Executed steps 20 and 60 of 68, and 12 of 50; at any other number of steps as far along the schedule."""
    assert step_at_percent(SEGMENTATION_AT, run(100, 32), percent_to_sigma) == 20
    assert step_at_percent(MATCHES_AT, run(100, 32), percent_to_sigma) == 60
    assert step_at_percent(WORD_MAP_AT, run(50), percent_to_sigma) == 12
    assert step_at_percent(SEGMENTATION_AT, run(20, 6), percent_to_sigma) == 4
    assert [step_at_percent(percent, run(20, 6), percent_to_sigma) for percent in (0.0, 1.0)] == [0, 13]


def test_deviation_is_on_in_the_papers_steps() -> None:
    assert DEVIATION.steps(run(50), percent_to_sigma) == list(range(12, 21))


@pytest.mark.parametrize(
    ("window", "steps"),
    [
        (Window(), list(range(68))),
        (Window(0.0, 0.0), []),
        (Window(1.0, 1.0), []),
        (Window(0.6, 0.5), []),
        (Window(0.99, 1.0), [67]),
        (Window(0.0, 0.33), [0]),
        (ATTENTION, list(range(11, 68))),
    ],
)
def test_steps_in_a_run(window, steps) -> None:
    assert window.steps(PAPER, percent_to_sigma) == steps


class TestOtherRuns:
    @given(st.integers(4, 300), st.integers(0, 90))
    def test_a_window_means_the_same_for_any_number_of_steps(self, steps, left_out) -> None:
        sigmas = run(steps, steps * left_out // 100)
        found = ATTENTION.steps(sigmas, percent_to_sigma)
        expected = [i for i, sigma in enumerate(sigmas[:-1]) if sigma <= percent_to_sigma(ATTENTION.start_percent)]
        assert found == expected
        assert found[-1] == len(sigmas) - 2

    @given(st.integers(4, 300), st.floats(0.0, 1.0))
    def test_the_structure_has_its_share_of_any_number_of_steps(self, steps, fraction) -> None:
        windows = StepWindows.of(run(steps), percent_to_sigma, ATTENTION, fraction, 1.0)
        assert windows.structural <= windows.reading
        assert abs(len(windows.structural) - fraction * len(windows.reading)) <= 1
        assert fraction == 0 or min(windows.structural) == min(windows.reading)

    def test_a_split_run_reads_where_the_whole_one_does(self) -> None:
        whole = StepWindows.of(PAPER, percent_to_sigma)
        assert sorted(whole.structural) == [11, 16, 21, 26, 31, 36]
        assert StepWindows.of(PAPER[:35], percent_to_sigma).reading == {step for step in whole.reading if step < 34}
        assert {34 + step for step in StepWindows.of(PAPER[34:], percent_to_sigma).reading} == {
            step for step in whole.reading if step >= 34
        }

    def test_no_share_is_no_step_and_a_whole_one_all(self) -> None:
        assert not StepWindows.of(PAPER, percent_to_sigma, structure_share=0.0).structural
        everywhere = StepWindows.of(PAPER, percent_to_sigma, structure_share=1.0, structure_end_percent=1.0)
        assert everywhere.structural == everywhere.reading
        assert not StepWindows.of(PAPER, percent_to_sigma, structure_end_percent=0.4).structural
