"""What the demo makes of its options and of what ComfyUI reports; ComfyUI itself is not needed."""

import errno
import json
import os
from argparse import Namespace
from pathlib import Path

import pytest
from appearance_transfer.developer.cli_output import CliError
from appearance_transfer.developer.client import PromptResult, rejection
from appearance_transfer.developer.demo import keep, plan
from appearance_transfer.developer.demo_grid import grid_graph
from appearance_transfer.developer.demo_results import PANELS, effect, evaluations, panels, seconds
from appearance_transfer.developer.image_files import read_image
from appearance_transfer.developer.server import lend_checkpoint
from appearance_transfer.developer.transfer_graph import GraphImage, Transfer, transfer_graph
from appearance_transfer.pocket.render import render
from appearance_transfer.pocket.scene import random_scene
from appearance_transfer.tests.developer.own_checkpoint import WHOLE, written
from PIL import Image

POCKET = Transfer(GraphImage("horse", seed=27), GraphImage("cow", seed=38))


def options(**changes: str) -> Namespace:
    return Namespace(**{"structure": None, "appearance": None, "checkpoint": None, "noun": None} | changes)


def test_without_options_two_pocket_scenes_that_know_what_they_show(tmp_path: Path) -> None:
    transfer = plan(options(), tmp_path)
    assert transfer.structure.noun == random_scene(transfer.structure.seed).species
    assert transfer.structure.noun != transfer.appearance.noun
    assert transfer.checkpoint is None


def test_own_images_and_checkpoint_are_put_where_the_host_finds_them(tmp_path: Path) -> None:
    image, checkpoint = tmp_path / "My Zebra.PNG", written(tmp_path, *WHOLE)
    Image.new("RGB", (8, 8)).save(image)
    home = tmp_path / "home"
    home.mkdir()
    own = {"structure": str(image), "appearance": str(image), "checkpoint": str(checkpoint), "noun": "zebra"}
    transfer = plan(options(**own), home)
    assert (transfer.structure.file, transfer.appearance.file) == ("structure.png", "appearance.png")
    assert (home / "input" / "structure.png").read_bytes() == image.read_bytes()
    assert (transfer.checkpoint, transfer.size, transfer.structure.prompt) == (
        "my model.safetensors",
        512,
        "a photo of a zebra",
    )


def test_only_the_checkpoint_itself_is_shown_to_comfyui(tmp_path: Path) -> None:
    """It follows links below its folders of models, so nothing else of the file's folder may be there."""
    checkpoint, home = tmp_path / "my model.safetensors", tmp_path / "home"
    checkpoint.write_bytes(b"weights")
    (tmp_path / "loop").symlink_to(tmp_path, target_is_directory=True)
    lend_checkpoint(home, str(checkpoint))
    listed = [Path(folder) / file for folder, _, files in os.walk(home, followlinks=True) for file in files]
    assert listed == [home / "models" / "checkpoints" / "my model.safetensors"]
    assert listed[0].read_bytes() == b"weights"


@pytest.mark.parametrize("content", [b"", b"no image", b"\x89PNG\r\n\x1a\n torn", b"GIF89a"])
def test_a_bad_image_is_named_as_the_user_named_it(tmp_path: Path, content: bytes) -> None:
    image = tmp_path / "my horse.png"
    image.write_bytes(content)
    with pytest.raises(CliError, match="my horse.png is no image that can be read"):
        plan(options(structure=str(image), appearance=str(image)), tmp_path / "home")


def test_an_image_that_ends_early_or_is_too_large_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    image = tmp_path / "horse.png"
    Image.effect_noise((64, 64), 80).save(image)
    whole = image.read_bytes()
    image.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(CliError, match="horse.png is no image that can be read, or it is damaged"):
        read_image(image)
    image.write_bytes(whole)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(CliError, match="horse.png has more pixels"):
        read_image(image)


def test_results_are_whole_or_a_full_disk_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images = {panel: Image.new("RGB", (16, 16)) for panel in (*PANELS, "grid")}
    keep(tmp_path, images, {"seconds": 1})
    assert {path.name for path in tmp_path.iterdir()} == {"transfer.png", "matches.png", "grid.png", "demo.json"}

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(CliError, match="transfer.png cannot be written: No space left on device"):
        keep(tmp_path, images, {"seconds": 2})
    assert json.loads((tmp_path / "demo.json").read_text()) == {"seconds": 1}


@pytest.mark.parametrize("counted", [False, True])
def test_every_link_of_the_graph_leads_to_a_node(counted: bool) -> None:
    own = Transfer(GraphImage("dog", "a.png"), GraphImage("dog", "b.png"), 512, "sd15.safetensors", counted=counted)
    for graph in (transfer_graph(own), transfer_graph(POCKET)):
        links = [value for node in graph.values() for value in node["inputs"].values() if isinstance(value, list)]
        assert {node for node, _ in links} <= graph.keys()
        json.dumps(graph)


def test_the_checkpoint_changes_nothing_but_the_loader() -> None:
    pocket, other = (
        transfer_graph(POCKET),
        transfer_graph(Transfer(POCKET.structure, POCKET.appearance, checkpoint="x")),
    )
    assert {node for node in pocket if pocket[node] != other[node]} == {"checkpoint"}


def test_effect_of_doing_nothing_is_one_and_of_own_images_unknown() -> None:
    structure = render([random_scene(27)], 128).image[0]
    untouched = Image.fromarray((structure.numpy() * 255).round().astype("uint8"))
    measures = effect(POCKET, untouched)
    assert measures["part_color_error"] == pytest.approx(1.0, abs=0.01)
    assert measures["silhouette_iou"] > 0.95
    assert set(effect(Transfer(GraphImage("dog", "a.png"), GraphImage("dog", "b.png")), untouched).values()) == {None}


def test_counts_and_times_are_summed() -> None:
    counts = {"invert_structure": 136, "sample": 182}
    outcome = PromptResult({"count": {"text": [json.dumps(counts)]}}, {"invert_structure": 1.234, "sample": 2.0})
    assert evaluations(outcome) == {"unet_evaluations": 318, "unet_evaluations_by_node": counts}
    assert seconds(outcome) == {"all": 3.23, "invert_structure": 1.23, "sample": 2.0}


def test_a_grid_of_an_earlier_run_does_not_stay_beside_own_images(tmp_path: Path) -> None:
    images = {panel: Image.new("RGB", (16, 16)) for panel in PANELS}
    keep(tmp_path, images | {"grid": images["output"]}, {})
    keep(tmp_path, images, {})
    assert {path.name for path in tmp_path.iterdir()} == {"transfer.png", "matches.png", "demo.json"}


def test_the_grid_is_the_single_transfer_for_every_pair() -> None:
    images = [GraphImage("horse", seed=27), GraphImage("cow", seed=38)]
    graph = grid_graph(images, images[::-1], 256)
    links = [value for node in graph.values() for value in node["inputs"].values() if isinstance(value, list)]
    assert {node for node, _ in links} <= graph.keys()
    single = transfer_graph(Transfer(*images, size=256))
    for name in ("checkpoint", "decode"):
        assert graph[name] == single[name]
    seeds = {
        name: graph[name]["inputs"]["seed"] for name in ("structure_1", "structure_2", "appearance_1", "appearance_2")
    }
    assert seeds == {"structure_1": 27, "structure_2": 38, "appearance_1": 38, "appearance_2": 27}


def test_every_panel_is_shown_in_order() -> None:
    shades = {panel: (40 * index, 0, 0) for index, panel in enumerate(PANELS)}
    sheet = panels({panel: Image.new("RGB", (16, 16), shade) for panel, shade in shades.items()})
    width = sheet.width // len(PANELS)
    assert [sheet.getpixel((index * width + width // 2, 50)) for index in range(len(PANELS))] == list(shades.values())


def test_a_refusal_names_the_node_or_else_the_general_reason() -> None:
    node_errors = {"7": {"class_type": "KSampler", "errors": [{"message": "Value too big", "details": "steps: 1e9"}]}}
    named = rejection({"message": "Prompt outputs failed validation"}, node_errors)
    assert (str(named), named.node, named.kind) == ("KSampler: Value too big: steps: 1e9", "7", "rejected")
    assert str(rejection({"message": "No prompt provided"}, {})) == "No prompt provided"
