"""The counter behind `unet_evaluations`: every row counts, by node, and the network is left as it was."""

import json

import torch
from appearance_transfer.tests.host import small_world as world


def test_every_row_counts_also_those_that_pass_no_wrapper(host) -> None:
    from appearance_transfer.benchmarks.evaluation_counter import CountEvaluations, ReadEvaluations
    from comfy_execution.utils import CurrentNodeContext

    model = world.small_model()
    _, count = CountEvaluations.execute(model).result
    steps = world.STEPS - world.START
    with CurrentNodeContext("test", "plain"):
        inversion = world.invert(model, world.latents(0, images=2))
    with CurrentNodeContext("test", "guided"):
        world.invert(model, world.latents(0), guidance=3.5)
    with torch.inference_mode():
        model.model.diffusion_model(inversion.start[:1], torch.ones(1), context=torch.zeros(1, 77, 16))
    by_node, forwards, memory = map(json.loads, ReadEvaluations.execute(count, after=None).ui["text"])
    assert by_node == {"plain": 2 * steps, "guided": 2 * steps, "outside": 1}
    assert 3 <= forwards <= sum(by_node.values())
    assert memory is None or memory > 10 * 2**20
    assert not model.model.diffusion_model._forward_pre_hooks


def test_it_starts_from_zero_at_every_run(host) -> None:
    from appearance_transfer.benchmarks.evaluation_counter import CountEvaluations

    assert CountEvaluations.fingerprint_inputs(None) is not CountEvaluations.fingerprint_inputs(None)
