"""`dev.py report`: what is queued for a pair, and a page that holds all that it shows."""

import json
import re
from pathlib import Path
from types import SimpleNamespace

import pytest
from appearance_transfer.developer.cli_output import CliError
from appearance_transfer.developer.client import PromptResult
from appearance_transfer.developer.object_info import OURS
from appearance_transfer.developer.own_report import command
from appearance_transfer.developer.own_report.page import Cost, PairReport, Panel, page
from appearance_transfer.developer.own_report.variants import COUNT, PANELS, SAVE, looked_at, variants
from appearance_transfer.developer.transfer_graph import GraphImage, Transfer
from PIL import Image

OWN = Transfer(
    GraphImage("horse", file="structure_a.png"), GraphImage("horse", file="appearance_b.png"), 512, "own.safetensors"
)
OUTPUTS = {"PreviewImage", "SaveImage", OURS + "InversionReport", "BenchmarkReadEvaluations"}


def links(graph: dict) -> set[str]:
    return {value[0] for node in graph.values() for value in node["inputs"].values() if isinstance(value, list)}


@pytest.mark.parametrize("variant", variants(), ids=lambda variant: variant.name)
def test_each_setting_is_a_whole_graph_with_every_evaluation_counted(variant) -> None:
    graph = variant.graph(OWN)
    assert links(graph) <= graph.keys()
    assert {name for name, node in graph.items() if node["class_type"] in OUTPUTS} == {SAVE, COUNT}
    models = [node["inputs"]["model"] for node in graph.values() if "model" in node["inputs"]]
    assert [model for model in models if model == ["checkpoint", 0]] == [["checkpoint", 0]]  # the counter's own
    assert graph["checkpoint"]["inputs"] == {"ckpt_name": "own.safetensors"}


def test_the_settings_differ_in_what_their_names_say() -> None:
    graphs = {variant.name: variant.graph(OWN) for variant in variants()}
    paper, default, without, parts, draft, few = graphs.values()
    assert paper["invert_structure"]["inputs"]["steps"] == 100
    assert paper["attention"]["inputs"]["preset"] == "reference code"
    assert paper["invert_appearance"]["class_type"] == OURS + "InvertImage"
    assert default["invert_structure"]["inputs"]["steps"] == 20
    assert without["attention"]["inputs"] == default["attention"]["inputs"] | {"find": False}
    assert parts["attention"]["class_type"] == OURS + "SemanticRearrangement"
    assert draft["invert_structure"]["inputs"]["steps"] == 10
    assert few["scheduler"]["inputs"]["steps"] == 4


def test_what_is_found_is_shown_before() -> None:
    graph = looked_at(OWN)
    assert links(graph) <= graph.keys()
    assert {name for name, node in graph.items() if node["class_type"] in OUTPUTS} == {*PANELS, COUNT}
    assert "sample" not in graph


def test_a_cost_is_read_off_the_counter() -> None:
    text = [json.dumps({"invert": 14, "sample": 26}), "31", str(2**30)]
    outcome = PromptResult({COUNT: {"text": text}}, {"invert": 1.0, "sample": 2.5})
    assert command.cost(outcome) == Cost(40, 31, 3.5, 2**30)
    assert command.cost(outcome).words() == "40 evaluations in 31 forwards, 3.5 s, at most 1.00 GiB"


def red(pixels: int = 8) -> Image.Image:
    return Image.new("RGB", (pixels, pixels), "red")


@pytest.fixture
def pairs() -> list[PairReport]:
    transfers = [
        Panel("defaults", red(2000), "40 evaluations"),
        Panel("draft", None, failure="Set steps to <more>."),
    ]
    costs = {"defaults": Cost(40, 20, 3.0, None)}
    return [
        PairReport("zebra on horse", [Panel("structure", red(), "horse")], [Panel("matches", red())], transfers, costs),
        PairReport("cow on horse", [], [], transfers[:1], {"defaults": Cost(44, 22, 5.0, 2**31)}),
    ]


def test_the_page_holds_all_that_it_shows(pairs) -> None:
    text = page(pairs, {"torch": "2.0"}, "Made on <mine>.")
    sources = re.findall(r"src='([^']{0,30})", text)
    assert len(sources) == 4
    assert all(source.startswith("data:image/jpeg;base64,") for source in sources)
    assert "http" not in text
    assert "Made on &lt;mine&gt;." in text
    assert "Set steps to &lt;more&gt;." in text
    assert len(text) < 50_000
    for cells in (["defaults", "42", "21", "4.0", "2.00"], ["torch", "2.0"]):
        assert "".join(f"<td>{cell}</td>" for cell in cells) in text


def test_page_and_numbers_are_kept(pairs, tmp_path) -> None:
    command.keep(tmp_path, pairs, {"torch": "2.0"}, "note")
    assert {file.name for file in tmp_path.iterdir()} == {command.PAGE, command.NUMBERS}
    numbers = json.loads((tmp_path / command.NUMBERS).read_text())
    assert numbers["pairs"]["cow on horse"]["costs"]["defaults"]["evaluations"] == 44


def test_own_images_are_cropped_in_their_middle(tmp_path) -> None:
    Image.new("RGB", (300, 100), "blue").save(tmp_path / "wide.png")
    (tmp_path / "notes.txt").write_text("no image")
    (image,) = command.own_images(str(tmp_path), 64)
    assert (image.name, image.pixels.size) == ("wide", (64, 64))
    assert command.own_images(str(tmp_path / "wide.png"), 64)[0].name == "wide"


@pytest.mark.parametrize(
    ("where", "sentence"),
    [
        ("gone", "There is no folder or image .*gone"),
        ("empty", "holds no images"),
        ("torn.png", "torn.png is no image"),
    ],
)
def test_what_is_no_image_is_named(tmp_path, where, sentence) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "torn.png").write_bytes(b"no image")
    with pytest.raises(CliError, match=sentence):
        command.own_images(str(tmp_path / where), 64)


@pytest.mark.parametrize("size", [32, 100])
def test_a_size_that_no_network_takes_is_refused(tmp_path: Path, size: int) -> None:
    options = SimpleNamespace(checkpoint=None, size=size, structures="", appearances="", out=str(tmp_path))
    with pytest.raises(CliError, match="give a multiple of 64 from 64 on"):
        command.run(options, None)
