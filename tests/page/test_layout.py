"""The room that templates leave: no node covers another, in either renderer, also after a run with live previews."""

import pytest
from appearance_transfer.tests.page.test_page import WORKFLOWS

OPEN = "async (workflow) => { await app.loadGraphData(workflow); }"
PREVIEWS = "Comfy.Execution.PreviewMethod"
QUICK = ("01_cross_image_attention_pocket", "05_dift_matching", "20_mirror_to_match")


def test_no_node_covers_another(renderer, user) -> None:
    found = {}
    for name in WORKFLOWS:
        user.page.evaluate(OPEN, WORKFLOWS[name])
        found[name] = user.overlaps()
    assert not {name: overlaps for name, overlaps in found.items() if overlaps}


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
