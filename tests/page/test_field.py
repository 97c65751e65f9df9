"""The field on Match Features in a real browser: a grid over the appearance that follows a dragged point."""

from __future__ import annotations

import time

import pytest

from .point_pairs_sheet import NODE, OPEN, Sheet, pocket_graph

GRID = (
    "() => [...document.querySelectorAll('[data-testid=point-pairs-field] path')].map((path) => path.outerHTML).join()"
)


class FieldSheet(Sheet):
    @property
    def grid(self) -> str:
        return self.page.evaluate(GRID)

    def wait_for_another(self, grid: str) -> str:
        """Wait for a grid that differs; it is given."""
        self.page.wait_for_function(f"(before) => ({GRID})() !== before", arg=grid)
        return self.grid


@pytest.fixture
def sheet(user) -> FieldSheet:
    """Both images on the node in the middle of the page, the field over one, no pairs yet."""
    user.page.evaluate(OPEN, pocket_graph("field"))
    user.center_on(NODE, 0.8)
    sheet = FieldSheet(user)
    sheet.run()
    sheet.wait_for_another("")
    return sheet


def test_dragging_a_point_bends_the_field_without_a_queue_and_the_next_run_has_it(sheet) -> None:
    plain = sheet.grid
    sheet.click("structure", 0.5, 0.5)
    began = time.monotonic()
    sheet.drag("probe", "appearance", 0.7, 0.4)
    bent = sheet.wait_for_another(plain)
    assert time.monotonic() - began < 10, "a second, on an idle machine"
    sheet.page.wait_for_timeout(500)
    bent = sheet.grid
    sheet.user.photograph("field_bent")
    sheet.run()
    sheet.wait_for_another("")
    assert sheet.grid == bent
    sheet.press("undo")
    sheet.wait_for_another(bent)
    sheet.page.wait_for_timeout(500)
    assert sheet.grid == plain


def test_the_field_moves_while_the_hand_still_holds_the_point(sheet) -> None:
    sheet.write("64, 64", "64, 64")
    sheet.page.wait_for_timeout(500)
    before = sheet.grid
    box = sheet.handle(0, "appearance").locator(".point").bounding_box()
    sheet.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    sheet.page.mouse.down()
    try:
        sheet.page.mouse.move(box["x"] + 60, box["y"] - 30, steps=6)
        sheet.wait_for_another(before)
        assert sheet.points == ("64, 64", "64, 64"), "the node is told at the end"
    finally:
        sheet.page.mouse.up()
    assert sheet.points[1] != "64, 64"


def test_the_keyboard_bends_the_field_and_the_undo_of_the_page_brings_it_back(sheet) -> None:
    sheet.write("64, 64", "64, 64")
    sheet.page.wait_for_timeout(500)
    before = sheet.grid
    sheet.handle(0, "appearance").focus()
    for _ in range(3):
        sheet.page.keyboard.press("Shift+ArrowLeft")
    sheet.wait_for_another(before)
    assert sheet.points[1] == "34, 64"


def test_the_grid_can_be_hidden(sheet) -> None:
    field = sheet.page.get_by_test_id("point-pairs-field")
    assert field.is_visible()
    sheet.press("grid")
    assert not field.is_visible()
    sheet.press("grid")
    assert field.is_visible()


def test_other_methods_have_no_grid(user) -> None:
    user.page.evaluate(OPEN, pocket_graph())
    user.center_on(NODE, 0.8)
    sheet = FieldSheet(user)
    sheet.run()
    assert sheet.grid == ""
    assert sheet.page.get_by_test_id("point-pairs-grid").is_disabled()


def test_a_pair_that_cannot_be_is_said(sheet) -> None:
    sheet.write("64, 64", "64, 500")
    sheet.page.get_by_text("lies outside of its image").wait_for()
    sheet.press("clear")
    sheet.page.wait_for_timeout(500)
    assert "outside" not in sheet.sentence
