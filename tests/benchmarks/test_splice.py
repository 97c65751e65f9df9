"""The step that ours is timed against: six passes instead of four, and the same losses."""

import torch
from appearance_transfer.benchmarks.splice import Released
from appearance_transfer.splice.sight import Eye
from appearance_transfer.splice.training import Training
from appearance_transfer.splice.vit import load_vit
from appearance_transfer.tests.splice.vits import random_pictures, random_weights


def test_both_schemes_have_the_same_losses() -> None:
    passes = []
    vit = load_vit(random_weights(depth=3))
    vit.blocks[2].register_forward_pre_hook(lambda _, given: passes.append(len(given[0])))
    pictures = random_pictures(64, 80), random_pictures(70, 64, seed=1)
    found = []
    for scheme in (Training, Released):
        training = scheme(Eye(vit, layer=1), *pictures)
        training.steps = 1
        passes.clear()
        found.append({name: term.detach() for name, term in training.terms().items()})
    assert passes == [1] * 6  # through blocks that nobody reads, as the released code goes
    torch.testing.assert_close(*found)
