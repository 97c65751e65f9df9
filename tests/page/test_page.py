"""What a user sees who has never read a line of ours: templates, help, runs, errors, saved work."""

import io
import json
import re
import time
import urllib.parse

import pytest
from appearance_transfer.developer.gallery import file_name
from appearance_transfer.developer.paths import ROOT
from PIL import Image
from playwright.sync_api import Locator, expect

WORKFLOWS = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in (ROOT / "workflows").glob("*.json")}
FIRST, OWN, MATCHING, EDIT = map(
    file_name,
    ("01_cross_image_attention_pocket", "02_cross_image_attention", "05_dift_matching", "14_pix2pix_zero_real"),
)
OURS = "AppearanceTransfer_"
ATTENTION = OURS + "CrossImageAttention"
FILES = {  # nodes that read a file which only the user has, and are marked until it is there
    "CLIPLoader",
    "CLIPVisionLoader",
    "CheckpointLoaderSimple",
    "DualCLIPLoader",
    "LoadImage",
    "UNETLoader",
    "VAELoader",
    OURS + "LoadDINOViT",
    OURS + "LoadPerceptualNetwork",
    OURS + "LoadSpliceGenerator",
}
TYPES = "(nodes) => nodes.map(({ type }) => type)"
UNKNOWN = f"() => ({TYPES})(app.graph.nodes.filter(({{ type }}) => !LiteGraph.registered_node_types[type]))"
MARKED = f"() => ({TYPES})(app.graph.nodes.filter((node) => node.has_errors))"
TWICE = """() => app.graph.nodes.flatMap(({ type, inputs }) => {
    const labels = inputs.map(({ label, localized_name, name }) => label ?? localized_name ?? name);
    return labels.filter((label, index) => labels.indexOf(label) < index).map((label) => [type, label]);
})"""
NAMED_BY_DATE = """async () => {
    const saves = app.graph.nodes.find(({ type }) => type === "AppearanceTransfer_SaveEditDirection");
    saves.widgets.find(({ name }) => name === "filename_prefix").value = "%date:yyyy%/cow";
    return (await app.graphToPrompt()).output[saves.id].inputs.filename_prefix;
}"""
TITLES = "() => Object.fromEntries(app.graph.nodes.map(({ type, title }) => [type, title]))"
TRANSLATED = """() => [
    app.graph.groups.map(({ title }) => title),
    app.graph.nodes.find(({ type }) => type === "MarkdownNote").widgets[0].value,
    app.graph.nodes
        .find(({ type }) => type === "AppearanceTransfer_CrossImageAttention")
        .widgets.find(({ name }) => name === "preset")
        .options.getOptionLabel("reference code"),
]"""
LOADED = "(image) => image.naturalWidth > 0 && getComputedStyle(image).opacity === '1'"


def opened(user, name: str) -> None:
    user.open_template(name, len(WORKFLOWS[name]["nodes"]))


def saved_image(user, record: dict) -> tuple[str, bytes]:
    """Name and content of the file that Save Image has written in a run."""
    images = [image for output in record["outputs"].values() for image in output.get("images", ())]
    (saved,) = [image for image in images if image["type"] == "output"]
    answer = user.page.request.get(f"{user.address}/view?{urllib.parse.urlencode(saved)}")
    return saved["filename"], answer.body()


def inputs_in(record: dict, kind: str) -> dict:
    """What was queued for the first node of a type."""
    return next(node["inputs"] for node in record["prompt"][2].values() if node["class_type"] == kind)


def is_help(panel: Locator, path: str) -> None:
    """The help panel shows this file, formatted."""
    text = (ROOT / "web" / "docs" / path).read_text(encoding="utf-8")
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    expect(panel.locator("h1, h2")).to_have_text(headings)
    expect(panel.locator("li")).to_have_count(len(re.findall(r"^- ", text, re.MULTILINE)))
    expect(panel).not_to_contain_text("**")


def test_the_template_browser_shows_ours_with_thumbnails(user) -> None:
    cards = user.browse_templates()
    expect(cards).to_have_count(len(WORKFLOWS))
    for name in WORKFLOWS:
        card = cards.and_(user.page.get_by_test_id(f"template-workflow-{name}"))
        card.scroll_into_view_if_needed()
        user.page.wait_for_function(LOADED, arg=card.locator("img").first.element_handle())
    first = cards.and_(user.page.get_by_test_id(f"template-workflow-{FIRST}"))
    first.scroll_into_view_if_needed()
    user.page.wait_for_function(LOADED, arg=first.locator("img").first.element_handle())
    user.photograph("templates")


@pytest.mark.parametrize("name", sorted(WORKFLOWS))
def test_a_template_opens(user, name) -> None:
    """Every node is known, none covers another or has two inputs of one label; only files of the user are missed."""
    opened(user, name)
    assert not user.page.evaluate(UNKNOWN)
    assert not user.page.evaluate(TWICE)
    if any(node["type"] == "LoadImage" for node in WORKFLOWS[name]["nodes"]):
        expect(user.page.get_by_test_id("error-overlay")).to_be_visible()
    assert set(user.page.evaluate(MARKED)) <= FILES
    assert not user.overlaps()


def test_a_missing_checkpoint_is_told_with_where_it_belongs(user) -> None:
    opened(user, OWN)
    user.page.get_by_test_id("error-overlay-see-errors").click()
    missing = user.page.get_by_test_id("error-group-missing-model")
    expect(missing).to_contain_text("v1-5-pruned-emaonly-fp16.safetensors")
    expect(missing).to_contain_text("checkpoints")
    expect(missing.get_by_test_id("missing-model-download")).to_be_visible()


def test_help_is_a_click_away(user) -> None:
    opened(user, FIRST)
    is_help(user.read_help(ATTENTION), f"{ATTENTION}.md")


def test_in_chinese_nodes_and_help_are_chinese(user) -> None:
    words = json.loads((ROOT / "locales" / "zh" / "nodeDefs.json").read_text(encoding="utf-8"))
    user.prefer("Comfy.Locale", "zh")
    try:
        user.arrive()
        opened(user, FIRST)
        named = {node["type"] for node in WORKFLOWS[FIRST]["nodes"] if "title" in node}  # by the template, in English
        titles = {kind: title for kind, title in user.page.evaluate(TITLES).items() if kind.startswith(OURS)}
        words_of_templates = json.loads((ROOT / "web" / "translations" / "zh.json").read_text(encoding="utf-8"))
        groups, note, choice = user.page.evaluate(TRANSLATED)
        assert {group.split(". ")[-1] for group in groups} <= set(words_of_templates["groups"].values())
        assert set(filter(None, note.split("\n"))) <= set(words_of_templates["notes"].values())
        assert choice in words_of_templates["choices"].values()
        titles = {kind: title for kind, title in titles.items() if kind not in named}
        assert titles and titles == {kind: words[kind]["display_name"] for kind in titles}
        is_help(user.read_help(ATTENTION), f"{ATTENTION}/zh.md")
        user.photograph("chinese")
    finally:
        user.prefer("Comfy.Locale", "en")
        user.arrive()


def test_the_first_template_makes_an_image(user) -> None:
    """As it is: nothing is filled in, and no step is left out."""
    opened(user, FIRST)
    record = user.run()
    assert record["status"]["status_str"] == "success"
    file, image = saved_image(user, record)
    user.wait_for_image("SaveImage", file)
    assert Image.open(io.BytesIO(image)).size == (256, 256)
    user.center_on(ATTENTION, scale=0.7)
    user.photograph("run")
    assert not user.overlaps()


def test_work_survives_saving_and_loading_and_comes_back_with_its_image(user) -> None:
    opened(user, FIRST)
    user.set_number(ATTENTION, "strength", 0.5)
    user.save_as("half")
    user.arrive()
    user.wait_for_workflow("half", len(WORKFLOWS[FIRST]["nodes"]))
    assert user.value(ATTENTION, "strength") == 0.5
    record = user.run()
    assert record["status"]["status_str"] == "success"
    assert inputs_in(record, ATTENTION)["strength"] == 0.5
    opened(user, MATCHING)
    user.drop(*saved_image(user, record), len(WORKFLOWS[FIRST]["nodes"]))
    assert user.value(ATTENTION, "strength") == 0.5


def test_a_mistake_is_told_in_our_sentence(user) -> None:
    opened(user, FIRST)
    user.set_number(OURS + "InvertImage", "start_at_step", 100)
    assert user.run()["status"]["status_str"] == "error"
    user.page.get_by_test_id("error-overlay-see-errors").click()
    expect(user.page.get_by_test_id("runtime-error-panel")).to_contain_text("Set start_at_step below steps")


def test_the_date_goes_into_the_names_of_files(user) -> None:
    """As in Save Image: the page puts it in when it queues."""
    opened(user, EDIT)
    assert user.page.evaluate(NAMED_BY_DATE) == f"{time.strftime('%Y')}/cow"
