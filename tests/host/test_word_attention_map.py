"""Word Attention Map: which layers it reads, what it makes of them, and what it refuses."""

from types import SimpleNamespace

import pytest
import torch
from appearance_transfer.tests.host import small_world as world

STEP, AT = 3, 0.57  # the step, and where it stands in the noise schedule
COLUMNS = [5, 6]  # of the word in the pretended prompt


class PretendedClip:
    """Tokens of "a photo of a horse": every word is one token, "zebra" two; 77 with begin, end and padding.

    The text of the inversions is "a photo of a zebra".
    """

    ids = {"a": [5], "photo": [6], "of": [7], "horse": [8], "zebra": [9, 10], "far": [11]}

    def tokenize(self, text: str) -> dict:
        tokens = [1] + [token for word in text.split() for token in self.ids[word]] + [2]
        tokens += [0] * (-len(tokens) % 77)
        return {"l": [[(token, 1.0) for token in tokens]]}

    def encode_from_tokens(self, tokens: dict) -> torch.Tensor:
        same = tokens == self.tokenize("a photo of a zebra")
        return world.prompt(1 if same else 3)[0][0].repeat(1, len(tokens["l"][0]) // 77, 1)


@pytest.fixture(scope="module")
def inversion(model):
    return world.invert(model, world.latents(1, 2))


def mask_of(model, inversion, word="zebra", text="a photo of a zebra", **options):
    from appearance_transfer.host.matching.segmentation import mask_of_word

    with torch.inference_mode():
        return mask_of_word(model, inversion, PretendedClip(), text, word, **options)


def text_maps(model, inversion, steps, level):
    from appearance_transfer.host.matching.capture import capture_text_maps

    with torch.inference_mode():
        return capture_text_maps(model, inversion, steps, level)


def spied(model, inversion, step):
    """Every cross-attention map of one forward, [B, n, T] mean over heads, seen by a patch of ComfyUI."""
    from appearance_transfer.host.models.conditioning import unpack
    from appearance_transfer.host.runtime.model_runner import run_with_model

    maps = []

    def spy(q, k, v, extra):
        heads = extra["n_heads"]
        q, k, v = (x.unflatten(-1, (heads, -1)).transpose(1, 2) for x in (q, k, v))
        weights = torch.softmax(q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5, dim=-1)
        maps.append(weights.mean(1))
        return (weights @ v).transpose(1, 2).flatten(-2)

    clone = model.clone()
    for side, count in (("input", 8), ("middle", 1), ("output", 8)):
        for number in range(count):
            clone.set_model_attn2_replace(spy, side, number)
    positive = unpack(inversion.conditioning, "positive")
    sigma = inversion.schedule.sigmas[step]

    def body(denoise, x0):
        denoise(inversion.trajectory[step].to(x0), sigma)

    with torch.inference_mode():
        latent = model.get_model_object("latent_format").process_out(inversion.x0)
        sigmas = torch.tensor([sigma, 0.0])
        run_with_model(clone, latent, body, positive=positive, negative=positive, guidance=1.0, sigmas=sigmas)
    return maps


@pytest.mark.parametrize(("level", "layers"), [(1, 3), (2, 3), (4, 4)])
def test_all_layers_of_the_level_are_read(model, inversion, level, layers) -> None:
    """Encoder 1 and decoder 2 per level, and the middle at the coarsest."""
    positions = (16 // level) ** 2
    maps = [attention for attention in spied(model, inversion, STEP) if attention.shape[1] == positions]
    assert len(maps) == layers
    attention, grid = text_maps(model, inversion, [STEP], level)
    assert grid == (16 // level, 16 // level)
    assert attention.shape == (2, positions, 77)
    assert world.relative(attention, torch.stack(maps).mean(0)) < 1e-5


def test_steps_are_averaged_and_the_end_counts_once(model, inversion) -> None:
    single = [text_maps(model, inversion, [step], 2)[0] for step in range(3)]
    assert world.relative(text_maps(model, inversion, range(3), 2)[0], torch.stack(single).mean(0)) < 1e-5
    last = text_maps(model, inversion, [inversion.steps - 1], 2)[0]
    assert torch.equal(text_maps(model, inversion, [inversion.steps - 1, 500], 2)[0], last)


def test_maps_are_as_fine_as_those_of_the_paper(model, inversion) -> None:
    """16 x 16 for SD1.5 at 512 pixels; as near to it as the layers allow elsewhere."""
    from appearance_transfer.attention.word_map import fitting_downscale

    sd, sdxl = (1, 2, 4, 8), (2, 4)
    assert [fitting_downscale(sd, (side, side)) for side in (8, 16, 64, 96, 128)] == [1, 1, 4, 4, 8]
    assert fitting_downscale(sdxl, (128, 96)) == 4
    assert fitting_downscale(sdxl, (16, 16)) == 2
    assert torch.equal(mask_of(model, inversion), mask_of(model, inversion, downscale=1))


def test_it_is_the_mask_of_these_maps(model, inversion) -> None:
    from appearance_transfer.attention.word_map import word_mask

    attention, grid = text_maps(model, inversion, [STEP], 2)
    expected = word_mask(attention, COLUMNS, grid, (16, 16), 0.9)
    assert torch.equal(mask_of(model, inversion, at_percent=AT, accumulate=False, threshold=0.9, downscale=2), expected)
    assert expected.shape == (2, 16, 16)
    assert 0 < expected.mean() < 1


def test_accumulating_reads_every_step_up_to_this_one(model, inversion) -> None:
    clone = model.clone()
    counter = world.count_evaluations(clone)
    accumulated = mask_of(clone, inversion, at_percent=AT, threshold=0)
    assert counter.samples == 2 * (STEP + 1)
    counter.samples = 0
    alone = mask_of(clone, inversion, at_percent=AT, accumulate=False, threshold=0)
    assert counter.samples == 2
    assert not torch.equal(accumulated, alone)
    assert accumulated.amax((-1, -2)).tolist() == [1, 1]


def test_the_layers_of_stable_diffusion(host) -> None:
    """Prompt-to-prompt's five at 1/32 of the image for SD1.5; the three groups of SDXL."""
    import comfy.ops
    from appearance_transfer.host.models.unet import text_layers
    from appearance_transfer.tests.host.test_families import SD15, SDXL
    from comfy.ldm.modules.diffusionmodules.openaimodel import UNetModel

    def layers(config):
        unet = UNetModel(**config, dtype=torch.float32, device="meta", operations=comfy.ops.disable_weight_init)
        return text_layers(SimpleNamespace(get_model_object=lambda name: unet))

    sd = layers(SD15)
    assert sorted(sd) == [1, 2, 4, 8]
    assert sd[4] == [("input", 7), ("input", 8), ("output", 3), ("output", 4), ("output", 5)]
    assert sd[8] == [("middle", 0)]
    sdxl = layers(SDXL)
    assert sorted(sdxl) == [2, 4]
    assert sdxl[4] == [("input", 7), ("input", 8), ("middle", 0), ("output", 0), ("output", 1), ("output", 2)]


def test_a_word_that_is_not_in_the_prompt_is_refused_before_the_model_runs(model, inversion) -> None:
    clone = model.clone()
    counter = world.count_evaluations(clone)
    with pytest.raises(ValueError, match="is not in the prompt"):
        mask_of(clone, inversion, word="horse")
    with pytest.raises(ValueError, match="is not the text that the image was inverted with"):
        mask_of(clone, inversion, word="far", text="a " * 80 + "far")
    with pytest.raises(ValueError, match="is not the text that the image was inverted with"):
        mask_of(clone, inversion, word="zebra", text="photo of a zebra a")
    with pytest.raises(ValueError, match="no cross-attention at downscale 8, only at 1, 2, 4"):
        mask_of(clone, inversion, downscale=8)
    assert counter.samples == 0


def test_the_node_says_the_same(host, model, inversion) -> None:
    node = host.nodes["AppearanceTransfer_WordAttentionMap"]
    with torch.inference_mode():
        out = node.execute(model, inversion, PretendedClip(), "zebra", 0.9, "a photo of a zebra", "2", AT, False)
    same = mask_of(model, inversion, at_percent=AT, accumulate=False, threshold=0.9, downscale=2)
    assert torch.equal(out.args[0], same)
