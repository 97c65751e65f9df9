"""A MODEL with a transfer in ComfyUI's own KSamplers and samplers, on levels that no inversion was made for."""

import pytest
import torch
from appearance_transfer.tests.host import small_world as world

SEED = 5
SAMPLED = [  # sampler, scheduler, steps
    ("euler", "normal", 20),
    ("euler", "simple", 4),
    ("euler_ancestral", "karras", 12),
    ("heun", "normal", 8),
    ("dpm_2", "exponential", 8),
    ("dpm_2_ancestral", "beta", 6),
    ("lms", "ddim_uniform", 10),
    ("dpmpp_2m", "karras", 20),
    ("dpmpp_sde", "normal", 6),
    ("dpmpp_3m_sde", "linear_quadratic", 10),
    ("uni_pc", "normal", 10),
    ("uni_pc_bh2", "sgm_uniform", 7),
    ("ddim", "ddim_uniform", 14),
    ("lcm", "kl_optimal", 4),
    ("dpm_fast", "normal", 9),
    ("dpm_adaptive", "karras", 5),
    ("res_multistep", "simple", 9),
]


def everywhere(options: dict) -> dict:
    return {"window": world.window(0, 99)} | options


def attend(model, appearances, structure=None, **settings):
    from appearance_transfer.host.transfer.cross_image_attention import transfer_appearance
    from appearance_transfer.host.transfer.plan import Appearance

    weighed = [Appearance(inversion) for inversion in appearances]
    return transfer_appearance(model, weighed, structure, world.transfer_settings(**everywhere(settings)))


def rearrange(model, appearances, structure=None, **settings):
    from appearance_transfer.host.transfer.plan import Appearance
    from appearance_transfer.host.transfer.semantic_rearrangement import rearrange_appearance

    weighed = [Appearance(inversion) for inversion in appearances]
    return rearrange_appearance(model, weighed, structure, world.rearrangement_settings(**everywhere(settings)))


def ksampler(host, model, sampler="euler", scheduler="normal", steps=10, denoise=0.7, cfg=2.0) -> torch.Tensor:
    texts = world.prompt(1), world.prompt(1)
    with torch.inference_mode():
        node = host.nodes["KSampler"]()
        latent = {"samples": world.latents(1)}
        return node.sample(model, SEED, steps, cfg, sampler, scheduler, *texts, latent, denoise)[0]["samples"]


def advanced(host, model, latent, noise="enable", steps=12, first=0, last=10000, leftover="disable") -> torch.Tensor:
    texts = world.prompt(1), world.prompt(1)
    with torch.inference_mode():
        node = host.nodes["KSamplerAdvanced"]()
        return node.sample(
            model, noise, SEED, steps, 2.0, "euler", "normal", *texts, {"samples": latent}, first, last, leftover
        )[0]["samples"]


def assert_moved(out: torch.Tensor, plain: torch.Tensor) -> None:
    assert torch.isfinite(out).all()
    assert world.relative(out, plain) > 1e-3


class TestKSampler:
    @pytest.mark.parametrize(("sampler", "scheduler", "steps"), SAMPLED)
    def test_every_sampler_on_every_scheduler(self, host, model, structure, appearance, sampler, scheduler, steps):
        how = {"sampler": sampler, "scheduler": scheduler, "steps": steps}
        assert_moved(ksampler(host, attend(model, [appearance], structure), **how), ksampler(host, model, **how))

    @pytest.mark.parametrize("denoise", [1.0, 0.3])
    def test_every_denoise(self, host, model, appearance, denoise) -> None:
        out = ksampler(host, attend(model, [appearance]), denoise=denoise)
        assert_moved(out, ksampler(host, model, denoise=denoise))

    def test_semantic_rearrangement(self, host, model, structure, appearance) -> None:
        for inversions in (([appearance],), ([appearance], structure)):
            assert_moved(ksampler(host, rearrange(model, *inversions), sampler="heun"), ksampler(host, model))

    def test_strength_0_is_the_plain_model(self, host, model, structure, appearance) -> None:
        off = attend(model, [appearance], structure, strength=0.0)
        assert torch.equal(ksampler(host, off), ksampler(host, model))

    def test_the_same_queue_gives_the_same_image(self, host, model, structure, appearance) -> None:
        transferred = attend(model, [appearance], structure)
        first = ksampler(host, transferred, sampler="dpm_2")
        assert torch.equal(ksampler(host, transferred, sampler="dpm_2"), first)

    def test_an_inversion_of_ddim_serves_too(self, host, model) -> None:
        from appearance_transfer.host.inversion.ddpm_and_ddim import invert_with_ddim
        from appearance_transfer.host.models.schedules import schedule_of

        with torch.inference_mode():
            texts = world.prompt(1), world.prompt(2)
            schedule = schedule_of(model, steps=world.STEPS)
            inverted = invert_with_ddim(model, world.latents(2), *texts, schedule)
        assert_moved(ksampler(host, attend(model, [inverted])), ksampler(host, model))

    def test_a_run_that_never_comes_to_the_windows_says_so(self, host, model, appearance, caplog) -> None:
        """This scheduler spends all its steps above the noise at which an inversion of half the noise begins."""
        late = attend(model, [appearance], window=world.window(1, 99))
        how = {"scheduler": "linear_quadratic", "steps": 10}
        assert torch.equal(ksampler(host, late, **how), ksampler(host, model, **how))
        assert "has none inside. Lower start_percent" in caplog.text

    def test_replayed_references_are_refused_before_the_first_step(self, host, model, appearance) -> None:
        counted = model.clone()
        counter = world.count_evaluations(counted)
        with pytest.raises(ValueError, match="Set preset to default, which goes with every sampler and scheduler"):
            ksampler(host, attend(counted, [appearance], replayed=True))
        assert counter.samples == 0


class TestKSamplerAdvanced:
    @pytest.mark.parametrize("noise", ["enable", "disable"])
    @pytest.mark.parametrize(("first", "last", "leftover"), [(0, 7, "enable"), (5, 10000, "disable"), (3, 9, "enable")])
    def test_a_part_of_the_steps(self, host, model, structure, appearance, noise, first, last, leftover) -> None:
        how = {"noise": noise, "first": first, "last": last, "leftover": leftover}
        transferred, latent = attend(model, [appearance], structure), world.latents(1)
        assert_moved(advanced(host, transferred, latent, **how), advanced(host, model, latent, **how))

    def test_two_parts_are_the_whole(self, host, model, appearance) -> None:
        """A reference stands at a level as at the same level of the other run."""
        transferred = attend(model, [appearance])
        whole = advanced(host, transferred, world.latents(1))
        half = advanced(host, transferred, world.latents(1), last=6, leftover="enable")
        assert world.relative(advanced(host, transferred, half, noise="disable", first=6), whole) < 1e-4


def test_split_sigmas_read_what_the_whole_run_reads(host, model, structure, appearance) -> None:
    """The structure on steps 0, 4 and 8 of 10, the appearance on the others, whichever half they fall in."""
    import comfy.samplers

    def run(sigmas, latent):
        euler = comfy.samplers.sampler_object("euler")
        return world.sample(transferred, structure, latent=latent, sampler=euler, sigmas=sigmas)

    other = world.invert(model, world.latents(4))
    transferred = attend(model, [appearance], other)
    sigmas = torch.tensor(structure.schedule.sigmas)
    start = model.get_model_object("latent_format").process_out(structure.start)
    for cut in (1, 4, 7):
        high, low = host.nodes["SplitSigmas"].execute(sigmas, cut).args
        assert world.relative(run(low, run(high, start)), run(sigmas, start)) < 1e-4


def test_windows_open_at_their_noise_levels(host, model, appearance) -> None:
    """On a KSampler's levels, a window of steps 4 to 6 covers the sigmas that it covers on the inversion's."""
    from appearance_transfer.attention.windows import Window

    first, behind = (world.percents()[step] for step in (4, 7))
    transferred = attend(model, [appearance], window=Window(first, behind))
    open_at = set()

    def listen(q, k, v, extra):
        sigma = float(extra["sigmas"].max())
        if any(run.is_open(sigma) for run in world.runs_of(transferred)):
            open_at.add(sigma)
        return q, k, v

    transferred.set_model_attn2_patch(listen)
    ksampler(host, transferred, steps=40, denoise=1.0)
    sigmas = appearance.schedule.sigmas
    assert len(open_at) > 3
    assert sigmas[7] < min(open_at) and max(open_at) < sigmas[4] * 1.001


def test_an_appearance_of_other_steps_beside_a_resumed_structure(model, structure) -> None:
    """Its levels are met where they are the same, and made where they are not; steps count as the run does."""
    from appearance_transfer.host.models.schedules import schedule_of

    other = world.invert(model, world.latents(2), schedule=schedule_of(model, steps=20, start_at=6))
    transferred = attend(model, [other], structure)
    assert_moved(world.sample(transferred, structure), world.sample(model, structure))
    with pytest.raises(ValueError, match="20 steps|14 steps from sigma"):
        world.sample(attend(model, [other], structure, replayed=True), structure)


class TestPocketWorld:
    """The colors of the appearance's parts, through a stock KSampler on the small checkpoint."""

    def test_parts_take_the_colors(self, host) -> None:
        from appearance_transfer.benchmarks.transfers.pairs import SIZE, held_out_pairs, prompt, rendered
        from appearance_transfer.evaluation.part_colors import relative_part_color_error
        from appearance_transfer.host.inversion.ddpm_and_ddim import invert_with_ddpm
        from appearance_transfer.host.models.schedules import schedule_of
        from appearance_transfer.host.transfer.cross_image_attention import CrossImageSettings, transfer_appearance
        from appearance_transfer.host.transfer.plan import Appearance

        truth = rendered(held_out_pairs(2), SIZE)
        model, clip, vae = host.nodes["AppearanceTransfer_LoadPocketCheckpoint"].execute(precision="fp32").args

        def text(noun):
            return clip.encode_from_tokens_scheduled(clip.tokenize(prompt(noun)))

        def error(i, strength, **how):
            structure, appearance = (vae.encode(side.image[i : i + 1]) for side in (truth.structure, truth.appearance))
            own, other = text(truth.structure_nouns[i]), text(truth.appearance_nouns[i])
            schedule = schedule_of(model, steps=20, start_at=6)
            inverted = invert_with_ddpm(model, appearance, other, other, schedule, guidance=1.0)
            settings = CrossImageSettings(strength=strength, window=world.window(1, 99, sigmas=schedule.sigmas))
            patched = transfer_appearance(model, [Appearance(inverted)], None, settings)
            node = host.nodes["KSampler"]()
            latent = node.sample(patched, SEED, *how.values(), own, own, {"samples": structure}, 0.6)[0]["samples"]
            ours, expected = truth.structure, truth.appearance
            image = vae.decode(latent)[0]
            return float(
                relative_part_color_error(image, ours.image[i], ours.parts[i], expected.image[i], expected.parts[i])
            )

        for how in (
            {"steps": 12, "cfg": 2.0, "sampler": "euler", "scheduler": "normal"},
            {"steps": 8, "cfg": 2.0, "sampler": "heun", "scheduler": "karras"},
            {"steps": 12, "cfg": 2.0, "sampler": "uni_pc", "scheduler": "simple"},
        ):
            with torch.inference_mode():
                for i in range(2):
                    assert error(i, 1.0, **how) < error(i, 0.0, **how) - 0.1
