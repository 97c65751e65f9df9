"""Cross-Image Attention and Semantic Rearrangement on tiny random transformers of every family."""

import pytest
import torch
from appearance_transfer.tests.golden.reference import noted
from appearance_transfer.tests.host.small_world import count_evaluations
from appearance_transfer.tests.host.tiny_transformers import TINY
from appearance_transfer.tests.host.transformer_family import Family, supported


@pytest.fixture(scope="module", params=TINY)
def family(host, request):
    return Family(request.param)


@pytest.fixture(scope="module")
def rearranging(host, family, request):
    supported(family, "rearrangement")
    return family


def relative(a, b) -> float:
    return noted(float((a - b).abs().max() / b.abs().max()))


def flat(predictions) -> torch.Tensor:
    return torch.cat([side for step in predictions for side in step[:1]])


@pytest.fixture(scope="module")
def plain(family):
    return family.predictions(family.model, family.structure.trajectory, cfg=2.0)


def test_another_image_changes_the_positive_rows_alone_and_leaves_nothing(family, plain) -> None:
    transferred = family.transferred([family.appearance], contrast=1.67)
    first, again = (family.predictions(transferred, family.structure.trajectory, cfg=2.0) for _ in range(2))
    for one, other, expected in zip(first, again, plain, strict=True):
        assert torch.equal(one[1], expected[1])
        assert relative(one[0], expected[0]) > 1e-4
        assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))
    after = family.predictions(family.model, family.structure.trajectory, cfg=2.0)
    assert torch.equal(flat(after), flat(plain))
    assert "optimized_attention_override" not in transferred.model_options["transformer_options"]


def test_evaluations_are_as_planned(family) -> None:
    counted = family.model.clone()
    counter = count_evaluations(counted)
    transferred = family.transferred([family.appearance, family.structure], model=counted)
    family.predictions(transferred, family.structure.trajectory, cfg=2.0)
    assert counter.samples == 2 * (2 + 2)  # two levels: two references, two prompts


def test_a_batch_and_two_references_are_as_alone(family) -> None:
    """Two references in halves of the image, for a batch of two, each output as in a run of its own."""
    from appearance_transfer.host.transfer.plan import Appearance

    left = torch.zeros(1, 64, 64)
    left[..., :32] = 1
    two = [Appearance(family.appearance, mask=left), Appearance(family.noised(3), weight=0.5, mask=1 - left)]
    batch = torch.cat([family.tiny.image(1), family.tiny.image(4)])
    together = flat(family.predictions(family.transferred(two), batch, levels=(2,)))
    apart = [flat(family.predictions(family.transferred(two), batch[i : i + 1], levels=(2,))) for i in range(2)]
    assert relative(together, torch.cat(apart)) <= 1e-5


def test_a_reference_of_another_size_and_text(family) -> None:
    height, width = family.tiny.latent[1:]
    other = family.noised(2, size=(height + 4, width - 2), tokens=40)
    found = flat(family.predictions(family.transferred([other]), family.structure.trajectory))
    assert torch.isfinite(found).all()


def test_the_window_of_blocks(family, plain) -> None:
    last = 1
    every, one = (
        flat(family.predictions(family.transferred([family.appearance], blocks=blocks), family.structure.trajectory))
        for blocks in ("all", str(last))
    )
    assert relative(every, one) > 1e-5
    with pytest.raises(ValueError, match="has the blocks 0 to"):
        family.transferred([family.appearance], blocks="0-99")
    with pytest.raises(ValueError, match="write auto, all, or numbers"):
        family.transferred([family.appearance], blocks="late")


def test_an_override_of_another_node_goes_on(family) -> None:
    calls = []

    def override(function, *args, **kwargs):
        calls.append(1)
        return function(*args, **kwargs)

    model = family.model.clone()
    model.model_options["transformer_options"]["optimized_attention_override"] = override
    transferred = family.transferred([family.appearance])
    expected = flat(family.predictions(transferred, family.structure.trajectory))
    found = flat(family.predictions(family.transferred([family.appearance], model=model), family.structure.trajectory))
    assert torch.equal(found, expected)
    assert calls


def test_masked_tokens_of_a_text_stay_masked(host) -> None:
    """The own state changes nothing, as without a mask; a mask that weighs tokens is refused."""
    family = Family("Qwen-Image")
    mask = torch.ones(1, 12, dtype=torch.int64)
    mask[:, -3:] = 0
    masked = family.tiny.prompt(1, attention_mask=mask)
    own, x = family.transferred([family.noised(1, text=masked)]), family.structure.trajectory
    plain = flat(family.predictions(family.model, x, positive=masked))
    assert relative(flat(family.predictions(own, x, positive=masked)), plain) <= 1e-6
    assert relative(plain, flat(family.predictions(family.model, x))) > 1e-5
    weighed = family.tiny.prompt(1, attention_mask=torch.linspace(-1, 0, 12)[None])
    with pytest.raises(ValueError, match="weighs parts of itself"):
        family.predictions(own, x, positive=weighed)


def test_masks_and_matches_of_an_appearance_are_read(family) -> None:
    """Beside the text, of which they say nothing; each changes what is read."""
    from appearance_transfer.host.transfer.plan import Appearance

    height, width = family.tiny.latent[1:]
    left = torch.zeros(1, height, width)
    left[..., : width // 2] = 1
    x = family.structure.trajectory
    entries = [{}, {"appearance_mask": left}, {"correspondence": family.identity_match()}]
    free, masked, matched = (
        flat(family.predictions(family.transferred([Appearance(family.appearance, **entry)]), x)) for entry in entries
    )
    assert relative(masked, free) > 1e-5
    assert relative(matched, free) > 1e-5
    assert relative(masked, matched) > 1e-5


class TestRearrangement:
    @pytest.mark.parametrize("inject", ["feature", "kv", "v"])
    def test_another_image_changes_the_positive_rows_alone(self, rearranging, plain, inject) -> None:
        other = rearranging.transferred([rearranging.appearance], method="rearrangement", inject=inject)
        found = rearranging.predictions(other, rearranging.structure.trajectory, cfg=2.0)
        for one, expected in zip(found, plain, strict=True):
            assert torch.equal(one[1], expected[1])
            assert relative(one[0], expected[0]) > 1e-4

    @pytest.mark.parametrize("name", ["Z-Image", "SD3"])
    def test_families_without_features_before_positions_say_so(self, host, name) -> None:
        family = Family(name)
        with pytest.raises(ValueError, match="Use Cross-Image Attention with this MODEL"):
            family.transferred([family.appearance], method="rearrangement")


def test_the_texts_length_moves_the_image_along(host) -> None:
    """In Lumina the image stands behind its text; a reference under a longer text is moved to the output's place."""
    from appearance_transfer.attention.rotation import moved_along_axis

    keys = torch.randn(1, 2, 5, 32, generator=torch.Generator().manual_seed(0))
    there = moved_along_axis(keys, 7, 8, 10000.0)
    assert relative(moved_along_axis(there, -7, 8, 10000.0), keys) <= 1e-6
    assert torch.equal(there[..., 8:], keys[..., 8:])


ROTARY = tuple(name for name in TINY if not name.startswith("SD3"))


def test_balanced_sharing_replaces_at_full_strength(family, plain) -> None:
    """With its text in the same softmax, and with contrast off, which alone would change it."""
    x, half = family.structure.trajectory, {"sharing": "balanced", "strength": 0.3}
    partly, fully, replaced = (
        flat(family.predictions(family.transferred([family.appearance], **settings), x))
        for settings in (half, {"sharing": "balanced"}, {"sharing": "replace"})
    )
    assert relative(fully, replaced) <= 1e-6
    assert relative(partly, replaced) > 1e-5
    assert relative(partly, flat(plain)) > 1e-5


def test_damped_positions(family, plain) -> None:
    """Above 0 the positive rows alone change. Without rotary positions: a sentence."""
    x = family.structure.trajectory
    if not any(family.tiny is TINY[name] for name in ROTARY):
        with pytest.raises(ValueError, match="position is 0.5.*Set position to 0"):
            family.transferred([family.appearance], position=0.5)
        with pytest.raises(ValueError, match="mirror_columns is on.*Switch it off"):
            family.transferred([family.appearance], mirror_columns=True)
        return
    undamped, damped = (
        family.predictions(family.transferred([family.appearance], position=position), x, cfg=2.0)
        for position in (0.0, 1.0)
    )
    assert relative(flat(damped), flat(undamped)) > 1e-5
    assert all(torch.equal(one[1], expected[1]) for one, expected in zip(damped, plain, strict=True))


def test_damped_positions_of_two_references_in_a_batch_are_as_alone(family) -> None:
    from appearance_transfer.host.transfer.plan import Appearance

    if not any(family.tiny is TINY[name] for name in ROTARY):
        pytest.skip("There are no rotary positions.")
    left = torch.zeros(1, 64, 64)
    left[..., :32] = 1
    two = [Appearance(family.appearance, mask=left), Appearance(family.noised(3), weight=0.5, mask=1 - left)]
    batch = torch.cat([family.tiny.image(1), family.tiny.image(4)])
    model = family.transferred(two, position=1.0, sharing="balanced")
    together = flat(family.predictions(model, batch, levels=(2,)))
    apart = [flat(family.predictions(model, batch[i : i + 1], levels=(2,))) for i in range(2)]
    assert relative(together, torch.cat(apart)) <= 1e-5


def test_an_unknown_network_is_named(host) -> None:
    from appearance_transfer.host.transfer.cross_image_attention import CrossImageSettings, transfer_appearance
    from appearance_transfer.host.transfer.plan import Appearance

    family = Family("Flux.1")
    unknown = family.model.clone()
    unknown.add_object_patch("diffusion_model", torch.nn.Identity())
    with pytest.raises(ValueError, match=r"is a Identity.*Qwen-Image"):
        transfer_appearance(unknown, [Appearance(family.appearance)], None, CrossImageSettings())
