"""The room that templates leave: no node covers another, in either renderer, also after a run with live previews."""

import csv

import pytest
from appearance_transfer.developer.gallery import file_name
from appearance_transfer.tests.page.test_page import WORKFLOWS
from appearance_transfer.tests.page.user import SETTLED

OPEN_TEMPLATE = """async (workflow) => {
    await app.loadGraphData(workflow, true, true, null, { openSource: "template" });
}"""
OPENED_AT = """() => {
    const sides = app.graph.nodes.map(({ pos, size }) => [...pos, pos[0] + size[0], pos[1] + size[1]]);
    const span = (axis) => Math.max(...sides.map((box) => box[axis + 2])) - Math.min(...sides.map((box) => box[axis]));
    return [app.canvas.ds.scale, span(0), span(1)];
}"""
FIRST_ZOOM, LEAST_ZOOM = 0.45, 0.25
FIRST = "07"  # before it stand those that people open first, and of which a screenshot is kept
OPEN = "async (workflow) => { await app.loadGraphData(workflow); }"
PREVIEWS = "Comfy.Execution.PreviewMethod"
QUICK = tuple(map(file_name, ("01_cross_image_attention_pocket", "05_dift_matching", "20_mirror_to_match")))


def test_templates_are_readable_when_they_open(renderer, user) -> None:
    """Zoom, nodes, width and height of each are written to out/page/templates_RENDERER.csv; `dev.py bench screenshots`
    makes docs/templates.md of them.
    """
    rows = []
    for name, workflow in sorted(WORKFLOWS.items()):
        user.page.evaluate(OPEN_TEMPLATE, workflow)
        user.page.wait_for_timeout(SETTLED)
        zoom, width, height = user.page.evaluate(OPENED_AT)
        if name < FIRST:
            user.photograph(f"opened_{name[:2]}_{renderer}")
        overlaps = user.overlaps()
        rows.append([name, len(workflow["nodes"]) - 1, round(width), round(height), round(zoom, 2), len(overlaps)])
        assert not overlaps, name
    with open(user.shots / f"templates_{renderer}.csv", "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["template", "nodes", "width", "height", "zoom", "overlaps"], *rows])
    assert {name: zoom for name, *_, zoom, _ in rows if zoom < LEAST_ZOOM} == {}
    first = [zoom for name, *_, zoom, _ in rows if name < FIRST]
    assert min(first) >= FIRST_ZOOM


@pytest.fixture
def with_previews(renderer, user):
    user.prefer(PREVIEWS, "latent2rgb")
    user.arrive()
    yield user
    user.prefer(PREVIEWS, "default")
    user.arrive()


@pytest.mark.parametrize("name", QUICK)
def test_nodes_do_not_grow_over_their_neighbors_while_and_after_they_run(with_previews, name) -> None:
    with_previews.page.evaluate(OPEN, WORKFLOWS[name])
    assert with_previews.run()["status"]["status_str"] == "success"
    with_previews.page.get_by_test_id("node-texts").first.wait_for()
    assert not with_previews.overlaps()
    with_previews.photograph(f"layout_{name}")
