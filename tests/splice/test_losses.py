"""Every term of the loss at the steps where the schedule changes, and its gradient, against the reference code."""

import pytest
import torch
from appearance_transfer.splice.generator import SkipGenerator
from appearance_transfer.splice.losses import SpliceLossWeights, SplicePair, identity_loss, structure_loss, terms_at
from appearance_transfer.tests.golden.reference import SPLICE_AND_PIX2PIX_ZERO, golden, near
from appearance_transfer.tests.splice.generators import image, reference_generator
from appearance_transfer.tests.splice.vits import golden_vit, random_images, random_weights
from appearance_transfer.vit.features import ViTExtractor
from appearance_transfer.vit.vit import load_vit

FILE = "A3_losses"
THEIR_NAMES = {
    "appearance": "loss_global_cls",
    "structure": "loss_global_ssim",
    "identity": "loss_global_id_B",
    "whole appearance": "loss_entire_cls",
    "whole structure": "loss_entire_ssim",
}
TERMS = {
    0: {"appearance", "whole appearance", "whole structure"},
    1: {"appearance", "structure", "identity"},
    75: set(THEIR_NAMES),
}


def rounding_of_theirs(weights: str) -> float:
    """How far the reference code's gradient in fp32 is from its own in float64, at most: of untrained weights 2e-4, and
    processors round differently.
    """
    apart = []
    for step in TERMS:
        name = f"{weights}.step{step}.grad_norm_total"
        rough = golden(f"splice_{FILE}", name, SPLICE_AND_PIX2PIX_ZERO).item()
        exact = golden("splice_f64_reference_runs", f"A3.{name}", SPLICE_AND_PIX2PIX_ZERO).item()
        apart.append(abs(rough - exact) / exact)
    return max(apart)


@pytest.mark.parametrize(
    ("dtype", "file", "prefix", "tolerance"),
    [(torch.float32, "splice_A3_losses", "", 1e-5), (torch.float64, "splice_f64_reference_runs", "A3.", 1e-12)],
)
@pytest.mark.parametrize("weights", ["init", "trained"])
@pytest.mark.parametrize("step", TERMS)
def test_terms_and_gradients_are_those_of_the_released_code(dtype, file, prefix, tolerance, weights, step) -> None:
    def expected(name: str) -> torch.Tensor:
        return golden(file, f"{prefix}{weights}.step{step}.{name}", SPLICE_AND_PIX2PIX_ZERO)

    structure = image(FILE, "A_u8", dtype)
    extractor, generator = ViTExtractor(golden_vit(dtype)), reference_generator(weights, dtype)
    pair = SplicePair(*(image(FILE, f"step{step}.{side}_crop_u8", dtype) for side in "AB"), structure)
    terms = terms_at(step, generator, extractor, pair, extractor.extract(structure)[0])
    assert set(terms) == TERMS[step]
    for name, term in terms.items():
        assert near(term.item(), expected(THEIR_NAMES[name]).item(), tolerance), name
    loss = SpliceLossWeights().total(terms)
    assert near(loss.item(), expected("loss").item(), tolerance)

    loss.backward()
    norms = torch.stack([parameter.grad.norm() for parameter in generator.parameters()]).double()
    limit = max(10 * tolerance, 10 * rounding_of_theirs(weights) if dtype == torch.float32 else 0.0)
    assert near(norms.norm().item(), expected("grad_norm_total").item(), limit)
    theirs = expected("grad_norms")
    large = theirs > 1e-4 * theirs.max()  # the others are rounding errors around 0
    torch.testing.assert_close(norms[large], theirs[large], rtol=1000 * tolerance, atol=0)


def test_an_image_has_no_distance_to_itself() -> None:
    (features,) = ViTExtractor(load_vit(random_weights())).extract(random_images(64, 64))
    assert structure_loss(features, features) == 0
    assert identity_loss(features, features) == 0


@pytest.mark.parametrize("step", TERMS)
def test_passes_of_a_step(step) -> None:
    """Four images go through the ViT where the reference code sends six; one more for the whole image."""
    seen = []
    vit = load_vit(random_weights())
    vit.patch_embed.register_forward_pre_hook(
        lambda module, inputs: seen.append((len(inputs[0]), inputs[0].requires_grad))
    )
    extractor, image = ViTExtractor(vit), random_images(64, 64)
    whole = extractor.extract(image)[0]
    seen.clear()
    terms_at(step, SkipGenerator(), extractor, SplicePair(image, image, image), whole)
    crops = [(2, False), (1 if step == 0 else 2, True)]
    assert seen == (crops if step == 1 else [*crops, (1, True)])


def test_weights_weigh() -> None:
    terms = {"appearance": torch.tensor(1.0), "structure": torch.tensor(2.0), "whole structure": torch.tensor(3.0)}
    assert SpliceLossWeights(10, 0.5, 7).total(terms) == 10 + 1 + 1.5


@pytest.mark.parametrize("layer", [0, -1])
def test_checkpointing_changes_no_gradient(layer) -> None:
    vit, images, gradients = load_vit(random_weights()), random_images(64, 64), []
    for checkpointing in (False, True):
        inputs = images.clone().requires_grad_()
        (features,) = ViTExtractor(vit, layer, checkpointing=checkpointing).extract(inputs)
        (features.cls.square().mean() + features.keys.square().mean()).backward()
        gradients.append(inputs.grad)
    torch.testing.assert_close(*gradients)


def test_a_vit_in_half_precision_is_near_and_the_losses_are_in_full() -> None:
    weights, images = random_weights(), random_images(64, 64)
    half = load_vit({name: tensor.bfloat16() for name, tensor in weights.items()})
    ((exact,), (rough,)) = (ViTExtractor(vit).extract(images) for vit in (load_vit(weights), half))
    assert rough.keys.dtype == rough.cls.dtype == torch.float32
    assert not torch.equal(rough.keys, exact.keys)
    assert torch.cosine_similarity(rough.keys, exact.keys, dim=-1).min() > 0.99
