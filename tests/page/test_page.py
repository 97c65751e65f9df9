"""What a person sees who has never read a line of ours: templates, help, runs, errors, saved work."""

import io
import json
import re
import urllib.parse

import pytest
from appearance_transfer.developer.places import ROOT
from PIL import Image
from playwright.sync_api import Locator, expect

WORKFLOWS = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in (ROOT / "workflows").glob("*.json")}
FIRST, MATCHING = "01_cross_image_attention_pocket", "05_dift_matching"
OURS = "AppearanceTransfer_"
ATTENTION = OURS + "CrossImageAttention"
FILES = {  # nodes that read a file which only the person has, and are marked until it is there
    "CheckpointLoaderSimple",
    "LoadImage",
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
TITLES = "() => Object.fromEntries(app.graph.nodes.map(({ type, title }) => [type, title]))"
SHOWN = "(image) => image.naturalWidth > 0 && getComputedStyle(image).opacity === '1'"


def opened(person, name: str) -> None:
    person.open_template(name, len(WORKFLOWS[name]["nodes"]))


def saved_picture(person, record: dict) -> tuple[str, bytes]:
    """Name and content of the file that Save Image has written in a run."""
    pictures = [picture for output in record["outputs"].values() for picture in output.get("images", ())]
    (saved,) = [picture for picture in pictures if picture["type"] == "output"]
    answer = person.page.request.get(f"{person.address}/view?{urllib.parse.urlencode(saved)}")
    return saved["filename"], answer.body()


def inputs_in(record: dict, kind: str) -> dict:
    """What was queued for the first node of a type."""
    return next(node["inputs"] for node in record["prompt"][2].values() if node["class_type"] == kind)


def is_help(shown: Locator, path: str) -> None:
    """The help panel shows this file, formatted."""
    text = (ROOT / "web" / "docs" / path).read_text(encoding="utf-8")
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    expect(shown.locator("h1, h2")).to_have_text(headings)
    expect(shown.locator("li")).to_have_count(len(re.findall(r"^- ", text, re.MULTILINE)))
    expect(shown).not_to_contain_text("**")


def test_the_template_browser_shows_ours_with_thumbnails(person) -> None:
    cards = person.browse_templates()
    expect(cards).to_have_count(len(WORKFLOWS))
    for name in WORKFLOWS:
        card = cards.and_(person.page.get_by_test_id(f"template-workflow-{name}"))
        card.scroll_into_view_if_needed()
        person.page.wait_for_function(SHOWN, arg=card.locator("img").first.element_handle())
    first = cards.and_(person.page.get_by_test_id(f"template-workflow-{FIRST}"))
    first.scroll_into_view_if_needed()
    person.page.wait_for_function(SHOWN, arg=first.locator("img").first.element_handle())
    person.photograph("templates")


@pytest.mark.parametrize("name", sorted(WORKFLOWS))
def test_a_template_opens(person, name) -> None:
    """Every node is known, none covers another or has two inputs of one label; only files of the person are missed."""
    opened(person, name)
    assert not person.page.evaluate(UNKNOWN)
    assert not person.page.evaluate(TWICE)
    if any(node["type"] == "LoadImage" for node in WORKFLOWS[name]["nodes"]):
        expect(person.page.get_by_test_id("error-overlay")).to_be_visible()
    assert set(person.page.evaluate(MARKED)) <= FILES
    assert not person.overlaps()


def test_a_missing_checkpoint_is_told_with_where_it_belongs(person) -> None:
    opened(person, "02_cross_image_attention")
    person.page.get_by_test_id("error-overlay-see-errors").click()
    missing = person.page.get_by_test_id("error-group-missing-model")
    expect(missing).to_contain_text("v1-5-pruned-emaonly-fp16.safetensors")
    expect(missing).to_contain_text("checkpoints")
    expect(missing.get_by_test_id("missing-model-download")).to_be_visible()


def test_help_is_a_click_away(person) -> None:
    opened(person, FIRST)
    is_help(person.read_help(ATTENTION), f"{ATTENTION}.md")


def test_in_chinese_nodes_and_help_are_chinese(person) -> None:
    words = json.loads((ROOT / "locales" / "zh" / "nodeDefs.json").read_text(encoding="utf-8"))
    person.prefer("Comfy.Locale", "zh")
    try:
        person.arrive()
        opened(person, FIRST)
        titles = {kind: title for kind, title in person.page.evaluate(TITLES).items() if kind.startswith(OURS)}
        assert titles == {kind: words[kind]["display_name"] for kind in titles}
        is_help(person.read_help(ATTENTION), f"{ATTENTION}/zh.md")
        person.photograph("chinese")
    finally:
        person.prefer("Comfy.Locale", "en")
        person.arrive()


def test_the_first_template_makes_a_picture(person) -> None:
    """As it is: nothing is filled in, and no step is left out."""
    opened(person, FIRST)
    record = person.run()
    assert record["status"]["status_str"] == "success"
    file, picture = saved_picture(person, record)
    person.wait_for_picture("SaveImage", file)
    assert Image.open(io.BytesIO(picture)).size == (128, 128)
    person.look_at(ATTENTION, scale=0.7)
    person.photograph("run")
    assert not person.overlaps()


def test_work_survives_saving_and_loading_and_comes_back_with_its_picture(person) -> None:
    opened(person, FIRST)
    person.set_number(ATTENTION, "strength", 0.5)
    person.save_as("half")
    person.arrive()
    person.wait_for_workflow("half", len(WORKFLOWS[FIRST]["nodes"]))
    assert person.value(ATTENTION, "strength") == 0.5
    record = person.run()
    assert record["status"]["status_str"] == "success"
    assert inputs_in(record, ATTENTION)["strength"] == 0.5
    opened(person, MATCHING)
    person.drop(*saved_picture(person, record), len(WORKFLOWS[FIRST]["nodes"]))
    assert person.value(ATTENTION, "strength") == 0.5


def test_a_mistake_is_told_in_our_sentence(person) -> None:
    opened(person, FIRST)
    person.set_number(OURS + "InvertImageDDPM", "start_at", 100)
    assert person.run()["status"]["status_str"] == "error"
    person.page.get_by_test_id("error-overlay-see-errors").click()
    expect(person.page.get_by_test_id("runtime-error-panel")).to_contain_text("Set start_at below steps")
