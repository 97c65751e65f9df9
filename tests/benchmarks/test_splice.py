"""The step that ours is timed against: six passes instead of four, and the same losses."""

import torch
from appearance_transfer.benchmarks.splice import Released
from appearance_transfer.splice.training import SpliceTraining
from appearance_transfer.tests.splice.vits import random_images, random_weights
from appearance_transfer.vit.features import ViTExtractor
from appearance_transfer.vit.vit import load_vit


def test_both_schemes_have_the_same_losses() -> None:
    passes = []
    vit = load_vit(random_weights(depth=3))
    vit.blocks[2].register_forward_pre_hook(lambda _, inputs: passes.append(len(inputs[0])))
    images = random_images(64, 80), random_images(70, 64, seed=1)
    found = []
    for scheme in (SpliceTraining, Released):
        training = scheme(ViTExtractor(vit, layer=1), *images)
        training.steps = 1
        passes.clear()
        found.append({name: term.detach() for name, term in training.terms().items()})
    assert passes == [1] * 6  # through blocks that nobody reads, as the reference code goes
    torch.testing.assert_close(*found)
