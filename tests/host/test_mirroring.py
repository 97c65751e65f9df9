"""Mirror to Match in a graph, on images whose mirror images are known."""

import logging

import pytest
import torch
from appearance_transfer.developer.client import GraphError
from appearance_transfer.pocket.checkpoint import DEFAULT_NETWORK

PACK = "AppearanceTransfer_"
ACROSS = "y-axis: horizontally"
SETTINGS = {"feature_preset": "pocket", "seed": 42, "ensemble": 1}
SCENE = {"seed": 900002, "species": "any", "coat": "any", "view": "any", "size": 128}


def graph(**inputs: object) -> dict:
    """A pocket scene as structure; as appearances the scene and its mirror image, in one batch."""
    return {
        "checkpoint": {
            "class_type": f"{PACK}LoadPocketCheckpoint",
            "inputs": {"network": DEFAULT_NETWORK, "precision": "fp32"},
        },
        "scene": {"class_type": f"{PACK}PocketScene", "inputs": SCENE},
        "text": {"class_type": "CLIPTextEncode", "inputs": {"clip": ["checkpoint", 1], "text": ""}},
        "mirrored": {"class_type": "ImageFlip", "inputs": {"image": ["scene", 0], "flip_method": ACROSS}},
        "both": {"class_type": "ImageBatch", "inputs": {"image1": ["scene", 0], "image2": ["mirrored", 0]}},
        "twice": {"class_type": "ImageBatch", "inputs": {"image1": ["scene", 0], "image2": ["scene", 0]}},
        "turn": {
            "class_type": f"{PACK}MirrorToMatch",
            "inputs": {
                "model": ["checkpoint", 0], "vae": ["checkpoint", 2], "positive": ["text", 0],
                "structure": ["twice", 0], "appearance": ["both", 0], **SETTINGS, **inputs,
            },
        },
    }  # fmt: skip


def test_a_mirror_image_is_turned_back_and_the_image_itself_is_left(host, caplog) -> None:
    with caplog.at_level(logging.INFO, logger="appearance_transfer"):
        run = host.run(graph(), scene=("twice", 0), flipped=("turn", 0), mask=("turn", 1))
    assert torch.equal(run.flipped, run.scene)
    assert torch.equal(run.mask, torch.ones(2, 128, 128))
    assert "Image 0: left as it is." in caplog.text
    assert "Image 1: mirrored." in caplog.text


def test_one_appearance_is_turned_for_each_structure_and_its_mask_with_it(host) -> None:
    one = {"structure": ["both", 0], "appearance": ["mirrored", 0]}
    masks = {"structure_mask": ["scene", 1], "appearance_mask": ["scene", 1]}
    run = host.run(graph(**one, **masks), both=("both", 0), shape=("scene", 1), flipped=("turn", 0), mask=("turn", 1))
    assert torch.equal(run.flipped, run.both)
    assert torch.equal(run.mask, torch.cat([run.shape.flip(-1), run.shape]))


def test_other_numbers_of_images_are_refused_before_anything_is_looked_at(host) -> None:
    with pytest.raises(GraphError, match="There are 2 appearance images for 1 structure images"):
        host.run(graph(structure=["scene", 0]), flipped=("turn", 0))


def test_a_wide_appearance_is_turned_as_a_whole(host) -> None:
    """Two mirror images side by side, beside a square structure."""
    wide = {"image1": ["mirrored", 0], "image2": ["mirrored", 0], "direction": "right"}
    stitch = {"class_type": "ImageStitch", "inputs": wide | {"match_image_size": True}}
    stitch["inputs"] |= {"spacing_width": 0, "spacing_color": "white"}
    nodes = graph(structure=["scene", 0], appearance=["wide", 0]) | {"wide": stitch}
    run = host.run(nodes, scene=("scene", 0), flipped=("turn", 0), mask=("turn", 1))
    assert (run.flipped - torch.cat([run.scene, run.scene], dim=2)).abs().max() < 1 / 128  # stitched in 8 bits
    assert run.mask.shape == run.flipped.shape[:3]
