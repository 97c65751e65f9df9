"""Outline and field in both renderers: on the canvas, and in Nodes 2.0."""

from __future__ import annotations

from . import object_sheet, point_pairs_sheet

GRID = "() => document.querySelectorAll('[data-testid=point-pairs-field] path').length"


def test_a_click_changes_the_outline(renderer, user) -> None:
    user.page.evaluate(object_sheet.OPEN, object_sheet.pocket_graph())
    sheet = object_sheet.Sheet(user)
    user.run()
    plain = sheet.wait_for_another("")
    user.center_on(object_sheet.NODE, 0.9)
    user.page.wait_for_timeout(500)
    sheet.click(0.05, 0.05)
    sheet.wait_for_another(plain)
    assert sheet.points == ("6, 6", "")
    user.photograph(f"outline_{renderer}")


def test_the_field_is_drawn_and_a_point_is_dragged(renderer, user) -> None:
    user.page.evaluate(point_pairs_sheet.OPEN, point_pairs_sheet.pocket_graph("field"))
    user.center_on(point_pairs_sheet.NODE, 0.8)
    sheet = point_pairs_sheet.Sheet(user)
    sheet.run()
    user.page.wait_for_function(f"() => ({GRID})() > 0")
    user.page.wait_for_timeout(500)
    sheet.click("structure", 0.5, 0.5)
    sheet.drag("probe", "appearance", 0.7, 0.4)
    assert sheet.points == ("64, 64", "90, 51")
    user.photograph(f"field_{renderer}")
