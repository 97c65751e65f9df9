"""The object on Find Object in a real browser: its outline follows clicks without a queue, and the next run follows."""

from __future__ import annotations

import json
import time

import pytest

from .object_sheet import FIND, NODE, OPEN, SIDE, Sheet, pocket_graph


@pytest.fixture
def sheet(user) -> Sheet:
    """The image on the node in the middle of the page, its object outlined, no points yet."""
    user.page.evaluate(OPEN, pocket_graph())
    sheet = Sheet(user)
    assert sheet.sentence.startswith("Queue once")
    assert user.run()["status"]["status_str"] == "success"
    sheet.wait_for_another("")
    user.center_on(NODE, 0.9)
    return sheet


def test_a_click_changes_the_outline_without_a_queue_and_the_next_run_has_it(sheet) -> None:
    plain, covers = sheet.outline, sheet.covers
    assert 5 < covers < 60
    runs = len(sheet.page.evaluate("async () => Object.keys(await (await app.api.fetchApi('/history')).json())"))
    began = time.monotonic()
    sheet.click(0.05, 0.05)
    other = sheet.wait_for_another(plain)
    assert time.monotonic() - began < 10, "a second, on an idle machine"
    assert sheet.points == ("6, 6", "")
    assert runs == len(
        sheet.page.evaluate("async () => Object.keys(await (await app.api.fetchApi('/history')).json())")
    )
    sheet.user.photograph("object_clicked")
    covered = sheet.covers
    assert sheet.user.run()["status"]["status_str"] == "success"
    sheet.page.wait_for_timeout(500)
    assert sheet.outline == other
    assert sheet.covers == covered


def test_shift_and_the_button_make_points_of_the_background(sheet) -> None:
    sheet.click(0.5, 0.5)
    sheet.click(0.1, 0.1, shift=True)
    sheet.press("label")
    sheet.click(0.9, 0.9)
    assert sheet.points == ("64, 64", "12, 12\n115, 115")
    assert sheet.page.get_by_test_id("object-seeds-label").get_attribute("aria-pressed") == "true"


def test_points_are_dragged_removed_cleared_undone_and_redone(sheet) -> None:
    sheet.write("object_points", "64, 64")
    sheet.write("background_points", "12, 12")
    sheet.page.mouse.move(*sheet.at(64.5 / SIDE, 64.5 / SIDE))
    sheet.page.mouse.down()
    sheet.page.mouse.move(*sheet.at(80.5 / SIDE, 40.5 / SIDE), steps=4)
    sheet.page.mouse.up()
    assert sheet.points == ("80, 40", "12, 12")
    sheet.press("remove")
    assert sheet.points == ("", "12, 12")
    sheet.press("clear")
    assert sheet.points == ("", "")
    for expected in [("", "12, 12"), ("80, 40", "12, 12"), ("64, 64", "12, 12")]:
        sheet.press("undo")
        assert sheet.points == expected
    assert sheet.page.get_by_test_id("object-seeds-undo").is_disabled()
    for expected in [("80, 40", "12, 12"), ("", "12, 12"), ("", "")]:
        sheet.press("redo")
        assert sheet.points == expected
    assert sheet.page.get_by_test_id("object-seeds-redo").is_disabled()


def test_the_keyboard_adds_moves_and_deletes_points_and_not_the_node(sheet) -> None:
    sheet.page.get_by_test_id("object-seeds-image").focus()
    sheet.page.keyboard.press("Enter")
    sheet.seed(0).focus()
    assert sheet.seed(0).get_attribute("aria-label") == "Point of the object, x 64, y 64"
    sheet.page.keyboard.press("ArrowLeft")
    sheet.page.keyboard.press("Shift+ArrowDown")
    assert sheet.points == ("63, 74", "")
    sheet.page.keyboard.press("Delete")
    sheet.page.keyboard.press("Shift+Enter")
    assert sheet.points == ("", "64, 64")
    assert sheet.page.evaluate(f"() => Boolean({FIND})")


def test_text_that_is_no_point_is_said_and_can_be_cleared(sheet) -> None:
    sheet.write("object_points", "left")
    assert sheet.sentence.startswith("The text fields hold something that is no point.")
    sheet.press("clear")
    assert sheet.points == ("", "")
    sheet.write("object_points", "500, 3")
    sheet.page.get_by_text("lies outside of the image").wait_for()


def test_points_and_outline_come_back_with_the_undo_of_the_page(sheet) -> None:
    sheet.click(0.5, 0.5)
    sheet.click(0.25, 0.5)
    assert sheet.points[0] == "64, 64\n32, 64"
    sheet.page.keyboard.press("Control+z")
    sheet.page.wait_for_function(f"() => {FIND}.widgets.some(({{ value }}) => value === '64, 64')")
    sheet.seed(0).wait_for()
    sheet.wait_for_another("")


def test_many_moves_ask_few_questions(sheet) -> None:
    """One is on its way, and of those that come meanwhile the last one waits."""
    sheet.write("object_points", "64, 64")
    sheet.page.wait_for_timeout(1000)
    asked = []
    sheet.page.on("request", lambda request: asked.append(request.url.endswith("/appearance_transfer/object")))
    sheet.page.mouse.move(*sheet.at(64.5 / SIDE, 64.5 / SIDE))
    sheet.page.mouse.down()
    sheet.page.mouse.move(*sheet.at(0.2, 0.8), steps=60)
    sheet.page.mouse.up()
    sheet.page.wait_for_timeout(1500)
    assert 1 <= sum(asked) < 40


def test_the_workflow_keeps_the_points_in_its_texts_and_nothing_of_the_widget(sheet) -> None:
    sheet.click(0.5, 0.5)
    kept = sheet.page.evaluate(f"() => {FIND}.serialize().widgets_values")
    assert json.loads(json.dumps(kept)) == ["64, 64", "", 42]
    queued = sheet.page.evaluate(f"async () => (await window.app.graphToPrompt()).output[{FIND}.id].inputs")
    assert queued["object_points"] == "64, 64"
    assert "object_seeds" not in queued
