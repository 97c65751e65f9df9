"""Before a run on the pocket checkpoint begins, images that it cannot know are named, and what to give instead."""

from argparse import Namespace
from pathlib import Path

import pytest
import torch
from appearance_transfer.developer import demo
from appearance_transfer.developer.checkpoint_files import PARTS
from appearance_transfer.developer.cli_output import CliError
from appearance_transfer.developer.grid import command
from appearance_transfer.developer.grid.workflow import own_graph
from appearance_transfer.developer.installation import Installation
from appearance_transfer.developer.pocket_advice import LOADER, advise, uses_pocket_checkpoint
from appearance_transfer.pocket.render import render
from appearance_transfer.pocket.scene import random_scene
from appearance_transfer.tests.pocket.far_images import waves
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor


def saved(image: Tensor, path: Path) -> Path:
    """[H, W, 3] in 0..1 as a file."""
    Image.fromarray((image.numpy() * 255).round().astype("uint8")).save(path)
    return path


@pytest.fixture
def near(tmp_path: Path) -> list[Path]:
    images = render([random_scene(950_000 + seed) for seed in range(2)], 128).image
    return [saved(image, tmp_path / f"scene {index}.png") for index, image in enumerate(images)]


def test_an_image_that_is_far_is_named_with_what_to_give_instead(tmp_path: Path, near: list[Path], capsys) -> None:
    advise([*near, saved(waves()[1], tmp_path / "beach.jpg"), saved(waves()[2], tmp_path / "city.png")])
    printed = capsys.readouterr().out
    assert len(printed.splitlines()) == 1
    assert f"{tmp_path / 'beach.jpg'} is far" in printed
    assert "--checkpoint FILE" in printed
    assert "Splice" in printed


def started(*_: object) -> None:
    raise CliError("ComfyUI starts.")


@pytest.mark.parametrize("own", [False, True], ids=["pocket", "own checkpoint"])
def test_demo_and_grid_say_it_before_comfyui_starts(tmp_path: Path, monkeypatch, capsys, own: bool) -> None:
    monkeypatch.setattr(demo, "counted_host", started)
    monkeypatch.setattr(command, "make", started)
    (tmp_path / "images").mkdir()
    beach = saved(waves()[1], tmp_path / "images" / "beach.png")
    save_file(
        {name + "weight": torch.zeros(1) for begins in PARTS.values() for name in begins[:1]},
        tmp_path / "own.safetensors",
    )
    options = Namespace(
        structure=str(beach), appearance=str(beach), structures=str(beach.parent), appearances=str(beach.parent),
        checkpoint=str(tmp_path / "own.safetensors") if own else None, noun=None, workflow=None, servers=None,
        workers=1, out=str(tmp_path / "out"),
    )  # fmt: skip
    for run in (demo.run, command.run):
        with pytest.raises(CliError, match="ComfyUI starts"):
            run(options, Installation(str(tmp_path), None, ""))
        assert ("beach.png is far" in capsys.readouterr().out) == (not own)


def test_pocket_scenes_and_files_that_cannot_be_read_are_passed_over(tmp_path: Path, near: list[Path], capsys) -> None:
    (tmp_path / "torn.png").write_bytes(b"no image")
    advise([*near, tmp_path / "torn.png"])
    assert capsys.readouterr().out == ""


def test_only_workflows_that_load_the_pocket_checkpoint_ask_for_it() -> None:
    assert uses_pocket_checkpoint(own_graph("horse", None))
    assert not uses_pocket_checkpoint(own_graph("horse", "own.safetensors"))
    assert uses_pocket_checkpoint({"nodes": [{"type": "LoadImage"}, {"type": LOADER}]})
    assert not uses_pocket_checkpoint({"nodes": [{"type": "LoadImage"}]})
