"""`dev.py report` on the pocket checkpoint: one pair, quickly, through the real server."""

import argparse
import json

import numpy as np
from appearance_transfer.developer.installation import current
from appearance_transfer.developer.own_report import command
from appearance_transfer.pocket.render import render
from appearance_transfer.pocket.scene import random_scene
from PIL import Image

SIZE = 128
QUICK = ("draft, 10 steps", "part by part")


def test_a_page_with_images_and_numbers(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(
        command, "variants", lambda every=command.variants: [one for one in every() if one.name in QUICK]
    )
    for name, seed in (("horse", 27), ("cow", 38)):
        pixels = render([random_scene(seed)], SIZE).image[0].numpy()
        Image.fromarray((pixels * 255).round().astype(np.uint8)).save(tmp_path / f"{name}.png")
    out = tmp_path / "out"
    options = argparse.Namespace(
        structures=str(tmp_path / "horse.png"), appearances=str(tmp_path / "cow.png"), checkpoint=None, noun="animal",
        size=SIZE, out=str(out),
    )  # fmt: skip
    assert command.run(options, current()) == 0
    (pair,) = json.loads((out / command.NUMBERS).read_text())["pairs"].values()
    assert set(pair["costs"]) == {command.LOOKED_AT, *QUICK}
    assert all(cost["evaluations"] >= cost["forwards"] > 0 for cost in pair["costs"].values())
    assert pair["inversion"].startswith("PSNR ")
    text = (out / command.PAGE).read_text()
    assert text.count("data:image/jpeg") == 2 + 4 + len(QUICK)
