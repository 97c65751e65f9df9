"""dev.py grid with two real ComfyUIs and Ray: one ComfyUI and one worker are killed half-way, and nothing is lost."""

import argparse
import json
import threading
import time
from collections import Counter
from pathlib import Path

import psutil
import pytest
from appearance_transfer.developer.grid import command
from appearance_transfer.developer.grid.manifest import Manifest
from appearance_transfer.developer.installation import Installation
from appearance_transfer.developer.transfer_graph import GraphImage, Transfer, transfer_graph
from appearance_transfer.pocket.render import render
from appearance_transfer.pocket.scene import random_scene
from PIL import Image

SHORT = {"steps": 6, "start_at_step": 2}


@pytest.fixture
def options(tmp_path: Path) -> argparse.Namespace:
    """Three horses and a torn file, two cows, and the main job in four steps, all under folders with a space."""
    shapes, appearances = tmp_path / "my shapes", tmp_path / "my looks"
    for position, species, seeds in ((shapes, "horse", (1, 2, 3)), (appearances, "cow", (4, 5))):
        position.mkdir()
        for seed in seeds:
            pixels = render([random_scene(seed, species=species)], 128).image[0]
            Image.fromarray((pixels.numpy() * 255).round().astype("uint8")).save(position / f"{species} {seed}.png")
    (shapes / "torn.png").write_bytes(b"no image")
    images = (GraphImage("horse", file=f"{role}.png") for role in ("structure", "appearance"))
    graph = transfer_graph(Transfer(*images, **SHORT))
    for name in [name for name in graph if name == "matches" or name.startswith("show_")]:
        del graph[name]
    (tmp_path / "short.json").write_text(json.dumps(graph))
    return argparse.Namespace(
        structures=str(shapes), appearances=str(appearances), workers=2, servers=None, checkpoint=None, noun=None,
        workflow=str(tmp_path / "short.json"), out=str(tmp_path / "the grid"),
    )  # fmt: skip


@pytest.fixture
def recorded(monkeypatch) -> Counter:
    """How often each pair was recorded."""
    count: Counter[str] = Counter()
    record = Manifest.record

    def counting(self, pair, answer) -> None:
        count[pair.name] += 1
        record(self, pair, answer)

    monkeypatch.setattr(Manifest, "record", counting)
    return count


def ours(*words: str) -> list[psutil.Process]:
    """Processes below this one whose command line holds all these words."""
    below = psutil.Process().children(recursive=True)
    return [process for process in below if all(word in " ".join(_command_line(process)) for word in words)]


def _command_line(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def kill_when(condition, *words: str) -> threading.Thread:
    """Kill one of our processes as soon as the condition holds."""

    def wait_and_kill() -> None:
        while not condition():
            time.sleep(0.05)
        ours(*words)[0].kill()

    killer = threading.Thread(target=wait_and_kill, daemon=True)
    killer.start()
    return killer


def test_a_killed_server_and_a_killed_worker_lose_nothing(comfyui, options, recorded, monkeypatch) -> None:
    before = {process.pid for process in ours("main.py")}
    killers = [
        kill_when(lambda: len(recorded) >= 1, "ray::Worker"),
        kill_when(lambda: len(recorded) >= 3, "main.py", "--cache-lru"),
    ]
    installation = Installation(str(comfyui), None, "")
    assert command.run(options, installation) == 1  # the torn image
    assert not any(killer.is_alive() for killer in killers)
    assert set(recorded.values()) == {1}
    out = Path(options.out)
    entries = json.loads((out / "manifest.json").read_text(encoding="utf-8"))["pairs"]
    assert len(entries) == 8
    failed = {name: entry["told"] for name, entry in entries.items() if entry["state"] == "failed"}
    assert failed.keys() == {"torn__cow 4", "torn__cow 5"}
    assert all("torn.png is no image that can be read" in failure for failure in failed.values())
    results = {name: Image.open(out / entry["files"][0]) for name, entry in entries.items() if entry["state"] == "done"}
    assert {image.size for image in results.values()} == {(128, 128)}
    assert len({image.convert("RGB").tobytes() for image in results.values()}) == 6
    assert (out / "grid.png").is_file()
    assert not ours("ray::")
    assert {process.pid for process in ours("main.py")} == before

    (Path(options.structures) / "torn.png").unlink()
    monkeypatch.setattr(command, "make", pytest.fail)
    assert command.run(options, installation) == 0
    assert len(recorded) == 8
