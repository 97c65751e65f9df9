"""What other nodes see of Appearance Guider's passes, and what they can change of its guidance."""

import pytest
import torch
from appearance_transfer.tests.host import small_world as world

SAME = 1e-5  # relative, fp32: the same sums in another order


def attend(model, appearance, **settings):
    from appearance_transfer.host.transfer.cross_image_attention import Appearance, transfer_appearance

    return transfer_appearance(model, [Appearance(appearance)], None, world.transfer_settings(**settings))


def guided(model, structure, *, negative=2, **settings):
    from appearance_transfer.attention.windows import Window
    from appearance_transfer.host.transfer.appearance_guider import AppearanceGuider, GuidanceSettings

    settings = GuidanceSettings(**{"window": Window(), "every": 1} | settings)
    negative = None if negative is None else world.prompt(negative)
    return world.sample(model, structure, guider=AppearanceGuider(model, world.prompt(1), negative, settings))


class TestPrompts:
    @pytest.mark.parametrize("text_scale", [1.0, 3.0])
    def test_patches_see_no_third_one(self, model, structure, appearance, text_scale) -> None:
        """IPAdapter, InstantID and PuLID look up what they hold for prompt 0 and for prompt 1."""
        seen = set()

        def record(q, k, v, extra):
            seen.update(extra["cond_or_uncond"])
            return q, k, v

        patched = attend(model, appearance)
        expected = guided(patched, structure, text_scale=text_scale)
        patched.set_model_attn2_patch(record)
        assert torch.equal(guided(patched, structure, text_scale=text_scale), expected)
        assert seen == ({0} if text_scale == 1.0 else {0, 1})

    def test_the_unpatched_pass_has_an_id_of_its_own_all_along(self, model, structure, appearance) -> None:
        import comfy.patcher_extension

        seen = []

        def record(executor, x, timesteps, context, y, control, options, **kwargs):
            seen.append(tuple(options["uuids"]))
            return executor(x, timesteps, context, y, control, options, **kwargs)

        patched = attend(model, appearance)
        patched.add_wrapper_with_key(comfy.patcher_extension.WrappersMP.DIFFUSION_MODEL, "record", record)
        guided(patched, structure)
        (transferred,), (unpatched,) = set(seen)
        assert transferred != unpatched
        assert len(seen) == 2 * structure.steps - 1  # at the first step no window is open

    def test_a_cache_of_steps_keeps_the_guidance(self, host, model, appearance, caplog) -> None:
        """It remembers by the ids of conditionings: with one for both passes, they are the same on cached steps."""
        from appearance_transfer.host.models.schedules import schedule_of

        structure, appearance = (
            world.invert(model, world.latents(seed), schedule=schedule_of(model, steps=40, start_at=4))
            for seed in (1, 2)
        )
        apart = []

        def record(args):
            apart.append(float((args["cond_denoised"] - args["uncond_denoised"]).abs().max()))
            return args["denoised"]

        opened = world.window(1, structure.steps - 1, structure.schedule.sigmas)
        patched = attend(model, appearance, window=opened)
        cached = host.nodes["EasyCache"].execute(patched, 0.5, 0.15, 0.95, False)[0]
        cached.set_model_sampler_post_cfg_function(record)
        with caplog.at_level("INFO"):
            out = guided(cached, structure)
        assert "EasyCache - skipped" in caplog.text
        assert "EasyCache - skipped 0" not in caplog.text
        assert min(apart[1:]) > 0
        exact, plain = guided(patched, structure), world.sample(model, structure)
        assert world.relative(out, exact) < 0.05 * world.relative(exact, plain)

    def test_a_cache_of_steps_skips_both_passes_or_none(self, host, model, structure, appearance) -> None:
        """It decides anew for each batch of prompts that it is told of."""
        import comfy.patcher_extension

        seen = []

        def record(executor, *args):
            seen.append(len(args[1]))
            return executor(*args)

        patched = attend(model, appearance)
        patched.add_wrapper_with_key(comfy.patcher_extension.WrappersMP.CALC_COND_BATCH, "record", record)
        guided(patched, structure)
        outputs = [prompts for prompts in seen if prompts == 3]
        assert len(outputs) == structure.steps

    def test_who_asks_for_a_second_prompt_gets_it(self, host, model, structure, appearance) -> None:
        """Self-Attention Guidance looks at the attention of prompt 1, also where the guider has no negative."""
        patched = attend(model, appearance)
        sag = host.nodes["SelfAttentionGuidance"].execute(patched, 0.5, 2.0)[0]
        for negative in (2, None):
            out = guided(sag, structure, negative=negative)
            assert torch.isfinite(out).all()
            assert world.relative(out, guided(patched, structure)) > 1e-3

    def test_who_batches_prompts_himself_is_asked_for_pairs(self, model, structure, appearance) -> None:
        import comfy.samplers

        seen = []

        def batch(args):
            seen.append(len(args["conds"]))
            return comfy.samplers.calc_cond_batch(
                args["model"], args["conds"], args["input"], args["sigma"], args["model_options"]
            )

        patched = attend(model, appearance)
        expected = guided(patched, structure)
        patched.set_model_sampler_calc_cond_batch_function(batch)
        assert world.relative(guided(patched, structure), expected) < SAME
        assert seen == [2] * (2 * structure.steps - 1)


class TestFunctionsOfGuidance:
    """What ComfyUI lets other nodes change of classifier-free guidance."""

    @pytest.mark.parametrize(("scale", "text_scale"), [(3.5, 1.0), (1.0, 3.0), (3.5, 3.0), (0.5, 1.5)])
    def test_their_cond_and_uncond_make_the_guidance(self, model, structure, appearance, scale, text_scale) -> None:
        def guide_as_ever(args):
            return args["uncond"] + args["cond_scale"] * (args["cond"] - args["uncond"])

        patched = attend(model, appearance)
        settings = {"scale": scale, "end_scale": scale, "text_scale": text_scale}
        expected = guided(patched, structure, **settings)
        patched.set_model_sampler_cfg_function(guide_as_ever)
        assert world.relative(guided(patched, structure, **settings), expected) < 1e-4

    @pytest.mark.parametrize("text_scale", [1.0, 3.0])
    def test_each_is_asked_once_a_step(self, model, structure, appearance, text_scale) -> None:
        seen = []

        def before(args):
            seen.append(("before", len(args["conds"]), len(args["conds_out"])))
            return args["conds_out"]

        def instead(args):
            seen.append(("instead", args["cond_scale"]))
            return args["cond"]

        def after(args):
            seen.append(("after", args["denoised"] is not args["cond_denoised"]))
            return args["denoised"]

        patched = attend(model, appearance)
        patched.set_model_sampler_pre_cfg_function(before)
        patched.set_model_sampler_cfg_function(instead)
        patched.set_model_sampler_post_cfg_function(after)
        guided(patched, structure, scale=2.0, end_scale=2.0, text_scale=text_scale)
        first, *others = [seen[i : i + 3] for i in range(0, len(seen), 3)]
        assert len(others) == structure.steps - 1
        assert first == [("before", 2, 2), ("instead", text_scale), ("after", True)]
        assert set(map(tuple, others)) == {(("before", 2, 2), ("instead", 1.0 + text_scale), ("after", True))}

    @pytest.mark.parametrize("text_scale", [1.0, 3.0])
    def test_where_nothing_is_left_of_the_guidance_it_is_the_transfer(
        self, model, structure, appearance, text_scale
    ) -> None:
        patched = attend(model, appearance)
        expected = world.sample(patched, structure)
        patched.set_model_sampler_pre_cfg_function(lambda args: [args["conds_out"][0], args["conds_out"][0]])
        assert world.relative(guided(patched, structure, text_scale=text_scale), expected) < 1e-4

    def test_after_guidance_a_prediction_belongs_to_its_text(self, model, structure, appearance) -> None:
        """Nodes run uncond again on a changed latent and compare (Self-Attention Guidance)."""
        import comfy.samplers

        differences = []

        def again(args):
            (out,) = comfy.samplers.calc_cond_batch(
                args["model"], [args["uncond"]], args["input"], args["sigma"], args["model_options"]
            )
            differences.append(world.relative(out, args["uncond_denoised"]))
            return args["denoised"]

        for text_scale in (1.0, 3.0):
            patched = attend(model, appearance)
            patched.set_model_sampler_post_cfg_function(again)
            guided(patched, structure, text_scale=text_scale)
        assert max(differences) < SAME
