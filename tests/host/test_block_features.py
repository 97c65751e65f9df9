"""DIFT Features on transformers: every family, read at a block's tokens, queries and keys."""

import pytest
import torch
from appearance_transfer.correspondence.dift import (
    BLOCK_PRESETS,
    KEYS,
    PRESETS,
    QUERIES,
    TOKENS,
    BlockReading,
    DiftSettings,
)
from appearance_transfer.tests.golden.reference import noted
from appearance_transfer.tests.host.dift_readings import hooks
from appearance_transfer.tests.host.tiny_transformers import TINY
from appearance_transfer.tests.host.transformer_family import REARRANGED

RTOL = 1e-4


def at(block: int, facet: str = TOKENS, **settings) -> DiftSettings:
    return DiftSettings(
        **({"timestep": 400, "up_block": None, "ensemble": 2} | settings), block=BlockReading(block, facet)
    )


class Reading:
    """A tiny network of one family."""

    def __init__(self, name: str):
        self.name, self.tiny = name, TINY[name]
        self.model = self.tiny.model()

    def features(self, settings: DiftSettings, images: int = 1, size=None, positive=None):
        from appearance_transfer.host.matching.dift_features import dift_features

        latent = self.tiny.image(1, images, size)
        with torch.inference_mode():
            return dift_features(self.model, latent, positive or self.tiny.prompt(1), settings)

    @property
    def blocks(self) -> int:
        from appearance_transfer.host.models.architecture import network_of, transformer_of

        return len(transformer_of(network_of(self.model)).blocks)


@pytest.fixture(scope="module", params=list(TINY))
def reading(host, request):
    return Reading(request.param)


@pytest.fixture(scope="module", params=["Flux.1", "Flux.2", "HunyuanImage", "Qwen-Image", "Krea 2"])
def with_queries(host, request):
    return Reading(request.param)


class TestEveryFamily:
    def test_every_block_is_read_on_the_grid_of_tokens(self, reading) -> None:
        patch = 2 if reading.tiny.latent[1] == 16 else 1
        for block in range(reading.blocks):
            found = reading.features(at(block), images=2)
            assert found.grid == (reading.tiny.latent[1] // patch,) * 2
            assert found.images == 2
            assert (found.source["block"], found.source["facet"]) == (str(block), TOKENS)

    def test_it_follows_the_image(self, reading) -> None:
        """A change of one corner changes the features there: the right tokens are read."""
        from appearance_transfer.host.matching.dift_features import dift_features

        latent = reading.tiny.image(1)
        other = latent.clone()
        other[..., :4, :4] += 2.0
        settings = at(0, timestep=100)
        with torch.inference_mode():
            ours, theirs = (
                dift_features(reading.model, one, reading.tiny.prompt(1), settings).values for one in (latent, other)
            )
        change = (ours - theirs).square().sum(1)[0]
        corner = 4 * change.shape[0] // latent.shape[-1]
        inside = torch.zeros_like(change, dtype=torch.bool)
        inside[:corner, :corner] = True
        assert noted(float(change[inside].mean() / change[~inside].mean())) > 10

    def test_the_batch_does_not_matter(self, reading) -> None:
        both = reading.features(at(reading.blocks - 1, batch=1), images=2).values
        together = reading.features(at(reading.blocks - 1, batch=8), images=2).values
        torch.testing.assert_close(both, together, rtol=RTOL, atol=RTOL)

    def test_the_model_is_as_it_was(self, reading) -> None:
        options = dict(reading.model.model_options["transformer_options"])
        first = reading.features(at(1)).values
        assert torch.equal(reading.features(at(1)).values, first)
        assert hooks(reading.model) == 0
        assert reading.model.model_options["transformer_options"] == options

    def test_reference_latents_are_left_out(self, reading) -> None:
        with_references = reading.tiny.prompt(1, reference_latents=[reading.tiny.image(5)])
        plain = reading.features(at(1)).values
        assert torch.equal(reading.features(at(1), positive=with_references).values, plain)

    def test_a_border_that_is_no_whole_token(self, reading) -> None:
        if reading.tiny.latent[1] == 8:
            pytest.skip("a token is a latent pixel")
        found = reading.features(at(1), size=(15, 12))
        assert found.grid == (8, 6)


class TestWhatIsRead:
    def test_tokens_are_what_the_projection_gets(self, reading) -> None:
        """Without massive channels, less their mean: as in the plain forward, which ends nowhere."""
        from appearance_transfer.host.matching.block_features import flow_level
        from appearance_transfer.host.models.architecture import network_of, transformer_of

        transformer = transformer_of(network_of(reading.model))
        kind, index = transformer.blocks[1]
        names = transformer.hidden[kind]
        projection = network_of(reading.model).get_submodule(f"{names.blocks}.{index}.{names.projection}")
        settings = at(1, ensemble=1)
        found = reading.features(settings).values
        seen = []
        hook = projection.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
        try:
            self.plain_forward(reading, flow_level(settings), settings.seed)
        finally:
            hook.remove()
        tokens = found.shape[2] * found.shape[3]
        start = seen[0].shape[1] - transformer.padded(tokens)
        expected = seen[0][:, start : start + tokens].float()
        torch.testing.assert_close(
            found.flatten(2).movedim(1, 2), expected - expected.mean(1, keepdim=True), rtol=RTOL, atol=RTOL
        )

    @staticmethod
    def plain_forward(reading, sigma: float, seed: int) -> None:
        from appearance_transfer.correspondence.dift import shared_noise
        from appearance_transfer.host.runtime.latents import in_model_scale
        from appearance_transfer.host.runtime.model_runner import run_with_model

        latent_format = reading.model.get_model_object("latent_format")
        clean = in_model_scale(reading.tiny.image(1), latent_format)
        x = (1 - sigma) * clean + sigma * shared_noise(tuple(clean.shape[1:]), 1, seed)
        text = reading.tiny.prompt(1)
        with torch.inference_mode():
            run_with_model(
                reading.model, reading.tiny.image(1), lambda denoise, x0: denoise(x, sigma),
                positive=text, negative=text, guidance=1.0, sigmas=torch.tensor([sigma, 0.0]),
            )  # fmt: skip

    def test_a_massive_channel_is_zeroed_and_said(self, host, caplog) -> None:
        """A bias of a thousand on one channel of the image's tokens."""
        reading = Reading("Flux.1")
        with caplog.at_level("INFO"):
            plain = reading.features(at(3)).values
        assert "0 massive channels of 64" in caplog.text
        reading.model.model.diffusion_model.img_in.bias.data[5] += 1000.0
        with caplog.at_level("INFO"):
            found = reading.features(at(3)).values
        assert "1 massive channels of 64" in caplog.text
        rest = [channel for channel in range(64) if channel != 5]
        assert noted(float(found[:, rest].std() / plain[:, rest].std())) > 0.3

    def test_queries_and_keys_before_positions(self, with_queries) -> None:
        """On the grid of the tokens; they are two things, and say so."""
        queries, keys = (with_queries.features(at(1, facet)) for facet in (QUERIES, KEYS))
        assert queries.grid == keys.grid == with_queries.features(at(1)).grid
        assert not torch.equal(queries.values[:, :8], keys.values[:, :8])
        assert queries.source != keys.source

    def test_a_facet_that_is_not_handed_out_is_refused(self, reading) -> None:
        if any(reading.name.startswith(family) for family in REARRANGED):
            assert reading.features(at(1, QUERIES)).images == 1
            return
        with pytest.raises(ValueError, match="Set block_facet to tokens"):
            reading.features(at(1, QUERIES))


class TestRefusals:
    def test_a_block_it_does_not_have(self, reading) -> None:
        with pytest.raises(ValueError, match=f"Set block to at most {reading.blocks - 1}"):
            reading.features(at(reading.blocks))

    @pytest.mark.parametrize("preset", PRESETS)
    def test_settings_for_a_u_net(self, reading, preset) -> None:
        with pytest.raises(ValueError, match="or else to custom"):
            reading.features(DiftSettings(**PRESETS[preset]))

    @pytest.mark.parametrize("preset", BLOCK_PRESETS)
    def test_settings_for_a_transformer_on_a_u_net(self, host, preset) -> None:
        from appearance_transfer.tests.host.dift_readings import features
        from appearance_transfer.tests.host.small_world import latents, small_model

        with pytest.raises(ValueError, match="Set feature_preset to semantic"):
            features(small_model(), latents(0), DiftSettings(**BLOCK_PRESETS[preset]))


def test_no_block_behind_is_run(host) -> None:
    reading = Reading("Flux.1")
    behind = []
    blocks = reading.model.model.diffusion_model.single_blocks
    hook = blocks[1].register_forward_pre_hook(lambda module, inputs: behind.append(1))
    try:
        reading.features(at(2))
        assert not behind
        reading.features(at(2, KEYS))
        assert not behind
    finally:
        hook.remove()
