"""Point pairs on Match Features in a real browser: the page computes as the nodes do, and a hand corrects a match."""

from __future__ import annotations

import math
import random
import re

import pytest
import torch
from appearance_transfer.correspondence.correspondence import Correspondence
from appearance_transfer.correspondence.points import force_pairs, matched_points, parse_points
from appearance_transfer.correspondence.serialize import match_table
from appearance_transfer.developer.paths import PACK_NAME

from .point_pairs_sheet import FIND, NODE, OPEN, Sheet, pocket_graph

MODULES = f"/extensions/{PACK_NAME}/js/point_pairs"
FORCED = """async ([modules, table, pairs, radius, asked]) => {
    const { Matches } = await import(`${modules}/matches.js`);
    const matches = new Matches(table);
    return {
        told: table.match.map((_, position) => matches.told(position, pairs, radius)),
        points: asked.map((point) => matches.of(point, pairs, radius).appearance),
        nearest: asked.map((point) => matches.nearest(point, pairs, radius)),
    };
}"""
ALONE = """async ([modules, table]) => {
    const { Matches } = await import(`${modules}/matches.js`);
    const { PointPairs } = await import(`${modules}/view.js`);
    const pointPairs = new PointPairs(() => {});
    pointPairs.element.style = "position: fixed; inset: 0; z-index: 10000";
    document.body.append(pointPairs.element);
    window.runEnds = () => pointPairs.show(new Matches(table), { structure: "", appearance: "" });
    window.takeAway = () => pointPairs.element.remove();
    window.runEnds();
}"""
PARSED = """async ([modules, text]) => {
    const { parsePoints, pointsText } = await import(`${modules}/points_text.js`);
    try {
        const points = parsePoints(text);
        return [points.map(({ x, y }) => [x, y]), pointsText(points)];
    } catch (error) {
        return error.name;
    }
}"""


def random_matches(seed: int) -> Correspondence:
    """Grids of odd sizes whose positions are no whole pixels, a tenth of them without a match."""
    random_numbers = torch.Generator().manual_seed(seed)
    grid, other = (5, 7), (6, 4)
    index = torch.randint(0, other[0] * other[1], (1, 1, *grid), generator=random_numbers)
    index[torch.rand(index.shape, generator=random_numbers) < 0.1] = -1
    matched = (index >= 0).float()
    return Correspondence(index, matched, matched[:, 0], matched[:, 0], other, (64, 100), (90, 52))


def random_points(count: int, image: tuple[int, int], draw: random.Random) -> list[tuple[int, int]]:
    return [(draw.randrange(image[1]), draw.randrange(image[0])) for _ in range(count)]


def objects(points) -> list[dict[str, float]]:
    return [{"x": x, "y": y} for x, y in points]


@pytest.mark.parametrize("seed", range(12))
def test_the_page_forces_pairs_as_the_node_does(user, seed) -> None:
    draw = random.Random(seed)
    found, radius = random_matches(seed), draw.choice([0, 0.05, 0.12, 0.205, 0.4])
    ours = random_points(seed % 4, found.structure_image, draw)
    theirs = random_points(seed % 4, found.appearance_image, draw)
    asked = random_points(6, (52, 52), draw)
    forced = force_pairs(found, ours, theirs, radius)
    pairs = [{"structure": a, "appearance": b} for a, b in zip(objects(ours), objects(theirs), strict=True)]
    seen = user.page.evaluate(FORCED, [MODULES, match_table(found), pairs, radius, objects(asked)])
    assert [one["match"] for one in seen["told"]] == forced.best.flatten().tolist()
    assert [one["confidence"] for one in seen["told"]] == (100 * forced.confidence).int().flatten().tolist()
    for point, expected in zip(seen["points"], matched_points(forced, asked).tolist(), strict=True):
        assert (point is None) == math.isnan(expected[0])
        assert point is None or (point["x"], point["y"]) == pytest.approx(expected)
    ends = torch.tensor(spots(forced.appearance_grid, forced.appearance_image))[forced.best[forced.best >= 0]]
    for (x, y), answer in zip(asked, seen["nearest"], strict=True):
        spot = min(
            spots(forced.appearance_grid, forced.appearance_image), key=lambda at: math.dist(at, (x + 0.1, y + 0.1))
        )
        assert answer["away"] == pytest.approx(float((ends - torch.tensor(spot)).norm(dim=1).min()), abs=1e-4)


def spots(grid: tuple[int, int], image: tuple[int, int]) -> list[tuple[float, float]]:
    """The center (x, y) of every position, in pixels."""
    (h, w), (height, width) = grid, image
    return [((column + 0.5) * width / w, (row + 0.5) * height / h) for row in range(h) for column in range(w)]


@pytest.mark.parametrize(
    "text",
    ["", " \n", "1, 2\n3.5, -4", " 1 2 \n\n3.5\t-4\n", "(1, 2); (3.5, -4)", "[[1, 2], [3.5, -4]]",
     '[{"x": 1, "y": 2}, {"y": -4, "x": 3.5}]', '{"x": 1, "y": 2}',
     "1", "1, 2, 3", "left, top", "[1, 2]", '{"x": 1}', "[[1, 2]", "nan, 1", "[null]"],
)  # fmt: skip
def test_the_page_reads_points_as_the_node_does(user, text) -> None:
    seen = user.page.evaluate(PARSED, [MODULES, text])
    try:
        points = parse_points(text)
    except ValueError:
        assert seen == "RangeError"
    else:
        assert [tuple(point) for point in seen[0]] == points
        assert parse_points(seen[1]) == points


def test_a_run_may_end_while_a_hand_holds_the_probe(user, complaints) -> None:
    page = user.page
    page.evaluate(ALONE, [MODULES, match_table(random_matches(0))])
    try:
        box = page.locator("body > .at-point-pairs").get_by_test_id("point-pairs-structure").bounding_box()
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        page.mouse.down()
        page.evaluate("() => window.runEnds()")
        page.mouse.move(box["x"] + box["width"] / 4, box["y"] + box["height"] / 4, steps=4)
        page.mouse.up()
    finally:
        page.evaluate("() => window.takeAway()")
    assert not complaints


@pytest.fixture
def sheet(user) -> Sheet:
    """Both images on the node in the middle of the page, no pairs yet."""
    user.page.evaluate(OPEN, pocket_graph())
    user.center_on(NODE, 0.8)
    sheet = Sheet(user)
    assert sheet.sentence.startswith("Queue once")
    sheet.run()
    return sheet


def test_a_point_is_clicked_and_its_match_dragged_and_the_next_run_follows(sheet) -> None:
    sheet.click("structure", 0.5, 0.5)
    assert re.fullmatch(r"Confidence \d+%\. Drag the other end to correct it\.", sheet.sentence)
    assert sheet.points == ("", "")
    sheet.drag("probe", "appearance", 0.75, 0.5)
    assert sheet.points == ("64, 64", "96, 64")
    assert sheet.report.startswith("image 0: 0 of 1")
    sheet.run()
    assert sheet.report.startswith("image 0: 1 of 1")


def test_the_appearance_answers_too_and_what_has_no_match_takes_a_second_click(sheet) -> None:
    sheet.click("appearance", 0.5, 0.55)
    assert sheet.handle("probe", "structure").count() == 1
    sheet.click("structure", 0.03, 0.03)
    assert sheet.sentence.startswith("Nothing matches here.")
    sheet.click("appearance", 0.25, 0.25)
    assert sheet.points == ("4, 4", "32, 32")


def test_pairs_are_dragged_removed_cleared_and_undone(sheet) -> None:
    sheet.write("10, 20\n64, 64", "30, 40\n96, 64")
    sheet.drag(1, "structure", 0.25, 0.75)
    assert sheet.points == ("10, 20\n32, 96", "30, 40\n96, 64")
    sheet.press("remove")
    assert sheet.points == ("10, 20", "30, 40")
    sheet.press("clear")
    assert sheet.points == ("", "")
    for expected in ("10, 20", "10, 20\n32, 96", "10, 20\n64, 64"):
        sheet.press("undo")
        assert sheet.points[0] == expected
    assert sheet.page.get_by_test_id("point-pairs-undo").is_disabled()


def test_the_keyboard_moves_and_deletes_points_and_not_the_node(sheet) -> None:
    sheet.write("64, 64", "96, 64")
    sheet.handle(0, "appearance").focus()
    sheet.page.keyboard.press("ArrowLeft")
    sheet.page.keyboard.press("Shift+ArrowDown")
    assert sheet.points == ("64, 64", "95, 74")
    sheet.page.keyboard.press("Delete")
    assert sheet.points == ("", "")
    assert sheet.page.evaluate(f"() => Boolean({FIND})")


def test_text_that_is_no_pairs_is_said_and_can_be_cleared(sheet) -> None:
    sheet.write("1, 2\n3, 4", "5, 6")
    assert sheet.sentence.startswith("The points in the text fields do not form pairs.")
    sheet.press("clear")
    assert sheet.points == ("", "")


def test_pairs_and_images_come_back_with_the_undo_of_the_page(sheet) -> None:
    sheet.write("64, 64", "96, 64")
    for x in (0.25, 0.5):
        sheet.drag(0, "appearance", x, 0.5)
    assert sheet.points[1] == "64, 64"
    sheet.page.keyboard.press("Control+z")
    sheet.page.wait_for_function(f"() => {FIND}.widgets.some(({{ value }}) => value === '32, 64')")
    sheet.handle(0, "appearance").wait_for()


def test_the_workflow_keeps_the_pairs_in_its_texts_and_nothing_of_the_widget(sheet) -> None:
    sheet.write("64, 64", "96, 64")
    kept = sheet.page.evaluate(f"() => {FIND}.serialize().widgets_values")
    assert kept == ["nearest", -1, "64, 64", "96, 64", 0.05, 0.05, 8]
    queued = sheet.page.evaluate(f"async () => (await window.app.graphToPrompt()).output[{FIND}.id].inputs")
    assert queued["structure_points"] == "64, 64"
    assert "point_pairs" not in queued
