"""The matching nodes in a graph, as a user wires them; features come from a node that holds them ready."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from appearance_transfer.correspondence.features import Features
from appearance_transfer.developer.client import GraphError

GRID, IMAGE = (8, 8), (64, 64)
BOTH_IMAGES = {"structure_image": ["image", 0], "appearance_image": ["image", 0]}


def features(seed: int, kind: str = "random") -> Features:
    values = torch.randn(1, 12, *GRID, generator=torch.Generator().manual_seed(seed))
    return Features(values, IMAGE, {"kind": kind})


class Ready:
    """A node whose output is one of the objects below."""

    INPUT_TYPES = classmethod(lambda cls: {"required": {"which": ("STRING", {})}})
    RETURN_TYPES, FUNCTION, CATEGORY = ("*",), "get", "test"

    objects = {
        "features": features(0),
        "other features": features(1),
        "features of another network": features(2, "DINO"),
        "left": (torch.arange(64) < 32).float().expand(1, 64, 64),
        "right": (torch.arange(64) >= 32).float().expand(1, 64, 64),
        "image": torch.rand(1, 64, 64, 3, generator=torch.Generator().manual_seed(3)),
        "flat image": torch.zeros(1, 32, 64, 3),
        "latent": {"samples": torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(4))},
    }

    def get(self, which):
        return (self.objects[which],)


@pytest.fixture(scope="module", autouse=True)
def ready(host) -> Iterator[None]:
    host.nodes["TestReady"] = Ready
    yield
    del host.nodes["TestReady"]


def graph(**nodes: dict) -> dict:
    """Every ready object under its own name, and the given nodes of ours with their inputs."""
    held = {name: {"class_type": "TestReady", "inputs": {"which": name}} for name in Ready.objects}
    kinds = {"match": "MatchFeatures", "draw": "DrawMatches", "warp": "WarpByMatches", "pck": "PCK"}
    ours = {
        name: {"class_type": f"AppearanceTransfer_{kinds[name]}", "inputs": inputs} for name, inputs in nodes.items()
    }
    return held | ours


def matching(structure: str = "features", appearance: str = "features", **inputs) -> dict:
    settings = {"method": "nearest", "floor": -1.0, "radius": 0.0, "temperature": 0.05, "candidates": 8}
    points = {"structure_points": "", "appearance_points": ""}
    return {"structure": [structure, 0], "appearance": [appearance, 0], **settings, **points, **inputs}


def test_an_image_is_matched_drawn_and_measured(host) -> None:
    points = "4, 4\n60.5, 20"
    run = host.run(
        graph(
            match=matching(),
            draw={"structure": ["image", 0], "appearance": ["image", 0], "matches": ["match", 0], "lines": 3,
                  "points": "", "height": 128},
            pck={"matches": ["match", 0], "structure_points": points, "appearance_points": points, "alpha": 0.1,
                 "reference": "bbox"},
        ),
        matches=("match", 0), confidence=("match", 1), drawing=("draw", 0), fraction=("pck", 0), report=("pck", 2),
    )  # fmt: skip
    assert torch.equal(run.matches.best.flatten(), torch.arange(64))
    assert run.confidence.shape == (1, 64, 64)
    torch.testing.assert_close(run.confidence, torch.ones(1, 64, 64))
    assert run.drawing.shape == (1, 128, 260, 3)
    assert run.outcome.outputs["draw"]["images"]
    assert run.fraction == 1.0
    assert run.report.startswith("image 0: 2 of 2 within 5.7 px")


@pytest.mark.parametrize(("values", "shape"), [("image", (1, 64, 64, 3)), ("left", (1, 64, 64)), ("latent", None)])
def test_each_kind_is_carried_and_stays_what_it_is(host, values, shape) -> None:
    run = host.run(graph(match=matching(), warp={"values": [values, 0], "matches": ["match", 0]}), warped=("warp", 0))
    original = Ready.objects[values]
    if shape is None:
        assert torch.equal(run.warped["samples"], original["samples"])
    else:
        assert run.warped.shape == shape
        assert torch.equal(run.warped, original)


def test_points_masks_and_regions_steer_the_matches(host) -> None:
    run = host.run(
        graph(
            match=matching(
                appearance="other features", structure_points="4, 4", appearance_points="60, 60",
                **{
                    "structure_regions.structure_region0": ["left", 0],
                    "appearance_regions.appearance_region0": ["right", 0],
                },
            )
        ),
        matches=("match", 0),
    )  # fmt: skip
    best = run.matches.best[0]
    assert best[0, 0] == 63
    column, left = best % 8, torch.arange(8).expand(8, 8) < 4
    assert torch.equal(column >= 4, left)


def kept(position: dict) -> Path:
    """The file that the page would ask for."""
    from folder_paths import get_temp_directory

    assert position["type"] == "temp"
    return Path(get_temp_directory()) / position["subfolder"] / position["filename"]


def test_the_page_gets_both_images_and_the_matches_as_found_before_any_correction(host) -> None:
    from PIL import Image

    points = {"structure_points": "4, 4", "appearance_points": "60, 60"}
    run = host.run(graph(match=matching(**BOTH_IMAGES, **points)), matches=("match", 0))
    assert run.matches.best[0, 0, 0] == 63
    (displayed,) = run.outcome.outputs["match"]["point_pairs"]
    table = json.loads(kept(displayed["matches"]).read_text())
    assert table["match"] == list(range(64))
    assert table["confidence"] == [100] * 64
    assert table["structure_image"] == list(IMAGE)
    assert Image.open(kept(displayed["structure"])).size == IMAGE
    assert Image.open(kept(displayed["appearance"])).size == IMAGE


def test_the_images_change_no_match_and_without_both_nothing_is_shown(host) -> None:
    displayed = host.run(graph(match=matching(appearance="other features", **BOTH_IMAGES)), matches=("match", 0))
    half = matching(appearance="other features", structure_image=["image", 0])
    hidden = host.run(graph(match=half), matches=("match", 0))
    assert "match" not in hidden.outcome.outputs
    assert torch.equal(displayed.matches.index, hidden.matches.index)


def test_what_does_not_match_shows_the_fallback(host) -> None:
    nodes = {
        "match": matching(structure_mask=["left", 0]),
        "warp": {"values": ["left", 0], "matches": ["match", 0], "fallback": ["right", 0]},
    }
    assert (host.run(graph(**nodes), warped=("warp", 0)).warped == 1).all()


@pytest.mark.parametrize(
    ("nodes", "sentence"),
    [
        ({"match": matching(appearance="features of another network")}, "so they cannot be compared"),
        ({"match": matching(structure_points="4, 4")}, "1 structure point.s. and 0 appearance"),
        ({"match": matching(structure_points="4, 4", appearance_points="four, 4")}, "is no point"),
        (
            {"match": matching(structure_points="4, 4", appearance_points="64, 4")},
            r"appearance point .64, 4. lies outside",
        ),
        ({"match": matching(**BOTH_IMAGES | {"appearance_image": ["flat image", 0]})}, "The appearance image is 64x32"),
        (
            {"match": matching(**{"structure_regions.structure_region0": ["left", 0]})},
            "region0: connected for one image only",
        ),
        (
            {
                "match": matching(),
                "warp": {"values": ["image", 0], "matches": ["match", 0], "fallback": ["left", 0]},
            },
            "the fallback is a MASK",
        ),
    ],
)
def test_what_does_not_fit_is_refused_in_a_sentence(host, nodes, sentence) -> None:
    with pytest.raises(GraphError, match=sentence):
        host.run(graph(**nodes), result=(list(nodes)[-1], 0))
