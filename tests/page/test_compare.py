"""ComfyUI's slider between the structure and what became of it, beside the transfer of the first template."""

import re

from appearance_transfer.tests.page.test_layout import OPEN
from appearance_transfer.tests.page.test_page import FIRST, WORKFLOWS

COMPARE = "ImageCompare"
KEPT = f"""() => {{
    const {{ widgets }} = app.graph.nodes.find(({{ type }}) => type === "{COMPARE}");
    const {{ beforeImages = [], afterImages = [] }} = widgets.find(({{ type }}) => type === "imagecompare").value;
    return [beforeImages.length, afterImages.length];
}}"""
COVERED = "(image) => Number(/inset\\(0(?:px)? ([\\d.]+)%/.exec(image.style.clipPath)[1])"


def test_both_images_lie_under_the_slider(renderer, user) -> None:
    """On the canvas ComfyUI keeps them and says that Nodes 2.0 shows them."""
    user.page.evaluate(OPEN, WORKFLOWS[FIRST])
    assert user.run()["status"]["status_str"] == "success"
    user.page.wait_for_function(f"() => ({KEPT})().every((images) => images === 1)")
    user.center_on(COMPARE)
    if renderer == "vue":
        view = user.page.get_by_test_id("image-compare-viewport")
        view.locator("img").nth(1).wait_for()
        sources = [image.get_attribute("src") for image in view.locator("img").all()]
        assert [re.search(r"comfy\.compare\.([ab])", source)[1] for source in sources] == ["b", "a"]
        box = view.bounding_box()
        for part in (0.25, 0.75):
            user.page.mouse.move(box["x"] + part * box["width"], box["y"] + box["height"] / 2)
            user.page.wait_for_function(
                f"([image, hidden]) => Math.abs(({COVERED})(image) - hidden) < 3",
                arg=[view.locator("img").nth(1).element_handle(), 100 - 100 * part],
            )
    user.photograph(f"compare_{renderer}")
    assert not user.overlaps()
