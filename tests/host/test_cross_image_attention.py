"""Cross-Image Attention as a patch of a MODEL: what it must change, leave alone, and leave behind."""

import pytest
import torch
from appearance_transfer.tests.host import small_world as world

SAME = 1e-5  # relative, fp32: the same sums in another order


def attend(model, appearances, structure=None, **settings):
    from appearance_transfer.host.transfer.cross_image_attention import Appearance, transfer_appearance

    wrapped = [entry if isinstance(entry, Appearance) else Appearance(entry) for entry in appearances]
    return transfer_appearance(model, wrapped, structure, world.transfer_settings(**settings))


def appearance_guider(model, **settings):
    from appearance_transfer.attention.windows import Window
    from appearance_transfer.host.transfer.appearance_guider import AppearanceGuider, GuidanceSettings

    return AppearanceGuider(
        model, world.prompt(1), world.prompt(2), GuidanceSettings(**{"window": Window(), "every": 1} | settings)
    )


def resized(latent, size):
    return torch.nn.functional.interpolate(latent, size=size, mode="bicubic")


def first_edited_attention(patched, inversion):
    """What the first edited layer gives at the first open step of a resumed run, [1, h, w, channels]."""
    first_open = float(torch.tensor(inversion.schedule.sigmas[1]))
    seen = []

    def record(out, extra):
        if extra["block"] == ("output", 2) and float(extra["sigmas"].max()) == first_open:
            seen.append(out.clone())
        return out

    listening = patched.clone()
    listening.set_model_attn1_output_patch(record)
    world.sample(listening, inversion)
    return seen[-1].unflatten(1, (8, 8))


def test_it_changes_the_image(model, structure, appearance) -> None:
    plain = world.sample(model, structure)
    transferred = world.sample(attend(model, [appearance], structure), structure)
    assert world.relative(transferred, plain) > 0.05


@pytest.mark.parametrize("with_structure", [False, True], ids=["alone", "with a structure"])
@pytest.mark.parametrize("how", ["strength", "window", "mask", "weight"])
def test_off_is_bit_identical(model, structure, appearance, how, with_structure) -> None:
    from appearance_transfer.host.transfer.cross_image_attention import Appearance

    entry, settings = appearance, {}
    if how == "strength":
        settings = {"strength": 0.0}
    elif how == "window":
        settings = {"window": world.window(50, 60)}
    elif how == "mask":
        entry = Appearance(appearance, mask=torch.zeros(1, 128, 128))
    else:
        entry = Appearance(appearance, weight=0.0)
    off = attend(model, [entry], structure if with_structure else None, **settings)
    assert torch.equal(world.sample(off, structure), world.sample(model, structure))


def test_structure_steps_edit_where_the_appearances_paint(model, structure, appearance) -> None:
    """At the first structure step, inside the mask of any appearance and as far as the weights go."""
    from appearance_transfer.host.transfer.cross_image_attention import Appearance

    other = world.invert(model, world.latents(4))
    first, second = torch.zeros(1, 16, 16), torch.zeros(1, 16, 16)
    first[:, :, :4], second[:, :, 12:] = 1, 1
    painted = [Appearance(appearance, mask=first), Appearance(appearance, 0.5, mask=second)]
    plain = first_edited_attention(model, structure)
    whole = first_edited_attention(attend(model, [appearance], other), structure)
    edited = first_edited_attention(attend(model, painted, other), structure)
    assert torch.equal(edited[:, :, 2:6], plain[:, :, 2:6])
    torch.testing.assert_close(edited[:, :, :2], whole[:, :, :2])
    torch.testing.assert_close(edited[:, :, 6:], (plain + whole)[:, :, 6:] / 2)
    everywhere = first_edited_attention(attend(model, painted, other, structure_everywhere=True), structure)
    torch.testing.assert_close(everywhere, whole)


def test_a_full_mask_is_no_mask(model, structure, appearance) -> None:
    from appearance_transfer.host.transfer.cross_image_attention import Appearance

    masked = attend(model, [Appearance(appearance, mask=torch.ones(1, 128, 128))], structure)
    assert torch.equal(world.sample(masked, structure), world.sample(attend(model, [appearance], structure), structure))


def test_half_a_mask_edits_half_the_tokens(model, structure, appearance) -> None:
    """At the injection site: the first edited layer of the first open step differs inside the mask only."""
    from appearance_transfer.host.transfer.cross_image_attention import Appearance

    mask = torch.zeros(1, 16, 16)
    mask[:, :, :8] = 1
    plain = first_edited_attention(model, structure)
    half = first_edited_attention(attend(model, [Appearance(appearance, mask=mask)]), structure)
    assert torch.equal(half[:, :, 4:], plain[:, :, 4:])
    assert (half[:, :, :4] != plain[:, :, :4]).any(-1).all()


def test_an_image_as_its_own_appearance_comes_back(model, structure) -> None:
    """At recorded latents the reference has the keys and values of the output, so nothing changes (contrast off)."""
    same = world.sample(attend(model, [structure], structure, contrast=1.0), structure)
    assert world.relative(same, world.sample(model, structure)) < 1e-4


def test_requeue_is_bit_identical_and_leaves_nothing(model, structure, appearance) -> None:
    transferred = attend(model, [appearance], structure)
    first = world.sample(transferred, structure)
    assert not world.runs_of(transferred)
    assert torch.equal(world.sample(transferred, structure), first)


def test_clones_of_one_model_do_not_see_each_other(model, structure, appearance) -> None:
    plain = world.sample(model, structure)
    weak = attend(model, [appearance], strength=0.5)
    strong = attend(model, [appearance], structure)
    first = world.sample(strong, structure)
    other = world.sample(weak, structure)
    assert not torch.equal(first, other)
    assert torch.equal(world.sample(strong, structure), first)
    assert torch.equal(world.sample(model, structure), plain)


@pytest.mark.parametrize("references", ["recorded", "replayed"])
def test_an_interrupted_run_leaves_no_trace(model, structure, appearance, references) -> None:
    from comfy.model_management import InterruptProcessingException

    def interrupt(latent, sigma, **_):
        if structure.schedule.index_of(sigma) == 4:
            raise InterruptProcessingException
        return latent

    transferred = attend(model, [appearance], structure, replayed=references == "replayed")
    first = world.sample(transferred, structure)
    with pytest.raises(InterruptProcessingException):
        world.sample(transferred, structure, between_steps=interrupt)
    assert not world.runs_of(transferred)
    assert torch.equal(world.sample(transferred, structure), first)


def test_a_batch_is_its_images(model, appearance) -> None:
    """Several structures under one appearance, and pairs of structure and appearance, equal the single runs."""
    images, looks = world.latents(5, 2), world.latents(6, 2)
    both, both_looks = world.invert(model, images), world.invert(model, looks, seed=3)
    one_look = world.sample(attend(model, [appearance], both), both)
    pairs = world.sample(attend(model, [both_looks], both), both)
    for i in range(2):
        single = both.image(i)
        assert world.relative(world.sample(attend(model, [appearance], single), single), one_look[i : i + 1]) < 1e-4
        alone = world.sample(attend(model, [both_looks.image(i)], single), single)
        assert world.relative(alone, pairs[i : i + 1]) < 1e-4


def test_prompts_apart_are_prompts_together(model, structure, appearance, monkeypatch) -> None:
    """Where memory is short ComfyUI runs one prompt after the other."""
    import comfy.model_patcher

    def guided():
        transferred = attend(model, [appearance], structure)
        return world.sample(transferred, structure, guider=appearance_guider(transferred, text_scale=3.0))

    together = guided()
    monkeypatch.setattr(comfy.model_patcher.ModelPatcher, "get_free_memory", lambda self, device: 0)
    assert world.relative(guided(), together) < 1e-4


def test_sides_that_do_not_halve(model) -> None:
    """13 x 11 positions, 7 x 6 on the coarser level: an image as its own appearance comes back, another one does
    not.
    """
    structure, other = (world.invert(model, world.latents(seed)[..., :13, :11]) for seed in (1, 2))
    plain = world.sample(model, structure)
    assert world.relative(world.sample(attend(model, [structure], contrast=1.0), structure), plain) < 1e-4
    assert world.relative(world.sample(attend(model, [other]), structure), plain) > 0.05


class TestSizes:
    """An appearance of another size and shape; 8x32 beside 16x16 has as many tokens, the others more or less."""

    @pytest.mark.parametrize("size", [(16, 8), (8, 32), (13, 11), (32, 32)])
    def test_it_changes_the_image(self, model, structure, size) -> None:
        tall = world.invert(model, resized(world.latents(2), size))
        out = world.sample(attend(model, [tall], structure), structure)
        assert out.shape == (1, 4, 16, 16)
        assert world.relative(out, world.sample(model, structure)) > 0.05

    def test_weights_and_masks_are_of_the_output(self, model, structure) -> None:
        from appearance_transfer.host.transfer.cross_image_attention import Appearance

        tall = world.invert(model, resized(world.latents(2), (16, 8)))
        mask = torch.zeros(1, 16, 16)
        mask[:, :, :8] = 1
        plain = first_edited_attention(model, structure)
        half = first_edited_attention(attend(model, [Appearance(tall, mask=mask)]), structure)
        assert torch.equal(half[:, :, 4:], plain[:, :, 4:])
        assert (half[:, :, :4] != plain[:, :, :4]).any(-1).all()

    def test_a_batch_of_another_size(self, model) -> None:
        both = world.invert(model, world.latents(5, 2))
        looks = world.invert(model, resized(world.latents(6, 2), (8, 16)), seed=3)
        pairs = world.sample(attend(model, [looks], both), both)
        for i in range(2):
            alone = world.sample(attend(model, [looks.image(i)], both.image(i)), both.image(i))
            assert world.relative(alone, pairs[i : i + 1]) < 1e-4

    def test_a_conditioning_for_an_area_is_left_alone(self, model, structure, appearance, caplog) -> None:
        """It runs on a part of the latent, for which the masks were not made."""
        area = [[world.prompt(1)[0][0], {"area": (8, 8, 4, 4)}]]
        out, plain = (
            world.sample(of, structure, guider=world.stock_guider(of, positive=area, negative=area))
            for of in (attend(model, [appearance]), model)
        )
        assert torch.equal(out, plain)
        assert "A conditioning for an area" in caplog.text


def test_stock_guidance_is_appearance_guidance(model, structure, appearance) -> None:
    """CFG with the same text on both sides is eq. 4 of the paper, since only positive rows look at references."""
    transferred = attend(model, [appearance], structure)
    ours = appearance_guider(transferred, scale=2.5, end_scale=2.5)
    guided = world.sample(transferred, structure, guider=ours)
    stock = world.sample(transferred, structure, guider=world.stock_guider(transferred, cfg=2.5))
    assert world.relative(guided, stock) < SAME


def test_text_guidance_alone_is_classifier_free_guidance(model, structure) -> None:
    ours = appearance_guider(model, scale=1.0, end_scale=1.0, text_scale=4.0)
    guided = world.sample(model, structure, guider=ours)
    stock = world.stock_guider(model, negative=world.prompt(2), cfg=4.0)
    assert world.relative(guided, world.sample(model, structure, guider=stock)) < SAME


def test_text_guidance_costs_a_pass_more_only_where_a_reference_is_read(host, appearance) -> None:
    """Elsewhere the pass with the transfer is the one without it: 10 steps of 2 rows, a twin and a reference."""

    model = world.small_model()
    once = attend(model, [appearance], window=world.window(8, 8))
    counter = world.count_evaluations(once)
    guided = world.sample(once, appearance, guider=appearance_guider(once, text_scale=3.0))
    assert counter.samples == 10 * 2 + 2
    unguided = world.sample(once, appearance, guider=appearance_guider(once, scale=1.0, text_scale=3.0))
    assert world.relative(guided, unguided) > 1e-4


def test_a_stock_sampler_works_on_the_recorded_levels(model, structure, appearance) -> None:
    """Euler on these sigmas is DDIM; it goes through the same levels and reads the same references."""
    import comfy.samplers

    def euler(patched):
        sampler = comfy.samplers.sampler_object("euler")
        return world.sample(patched, structure, guider=world.stock_guider(patched, cfg=2.0), sampler=sampler)

    assert world.relative(euler(attend(model, [appearance], structure)), euler(model)) > 0.05


def test_two_references_share_positions(model, structure, appearance) -> None:
    """Twice the same reference is that reference; a lone weight below 1 leaves the rest to the output."""
    from appearance_transfer.host.transfer.cross_image_attention import Appearance

    once = world.sample(attend(model, [appearance]), structure)
    twice = world.sample(attend(model, [Appearance(appearance, 2.0), Appearance(appearance, 5.0)]), structure)
    assert world.relative(twice, once) < 1e-4
    plain = world.sample(model, structure)
    weak = world.sample(attend(model, [Appearance(appearance, 0.2)]), structure)
    assert 0 < (weak - plain).abs().mean() < 0.6 * (once - plain).abs().mean()


class TestChain:
    """With the patches of other nodes before or after ours."""

    def test_another_attention_replacement_is_called_for_what_is_left(self, model, structure, appearance) -> None:
        from comfy.ldm.modules.attention import optimized_attention

        calls = []

        def other(q, k, v, extra):
            calls.append(q.shape[0])
            return 0.5 * optimized_attention(q, k, v, extra["n_heads"])

        patched = model.clone()
        for block in range(6):
            patched.set_model_attn1_replace(other, "output", block)
        alone = world.sample(patched, structure)
        assert calls
        assert torch.equal(world.sample(attend(patched, [appearance], strength=0.0), structure), alone)
        from appearance_transfer.host.transfer.cross_image_attention import Appearance

        silent = attend(patched, [Appearance(appearance, weight=0.0)])
        assert torch.equal(world.sample(silent, structure), alone)
        assert not torch.equal(world.sample(attend(patched, [appearance]), structure), alone)

    def test_an_attention_override_still_applies(self, model, structure, appearance) -> None:
        rows = []

        def override(function, *args, **kwargs):
            rows.append(args[0].shape[0])
            return function(*args, **kwargs)

        patched = attend(model, [appearance], structure)
        patched.model_options["transformer_options"]["optimized_attention_override"] = override
        transferred = world.sample(patched, structure)
        assert rows
        assert world.relative(transferred, world.sample(attend(model, [appearance], structure), structure)) < SAME

    def test_what_is_wrapped_around_the_network_sees_the_output_only(self, model, structure, appearance) -> None:
        """A cache of steps (EasyCache) would else compare the output with a reference."""
        import comfy.patcher_extension

        seen = []

        def remember(executor, x, *args, **kwargs):
            seen.append(x.shape[0])
            return executor(x, *args, **kwargs)

        wrapped = attend(model, [appearance], structure)
        wrapped.add_wrapper_with_key(comfy.patcher_extension.WrappersMP.DIFFUSION_MODEL, "other", remember)
        out = world.sample(wrapped, structure)
        assert len(seen) == structure.steps
        assert torch.equal(out, world.sample(attend(model, [appearance], structure), structure))

    def test_two_transfers_in_either_order(self, model, structure, appearance) -> None:
        """Appearance guidance is on wherever one of the two is open, whichever came last."""

        early, late = ({"window": window} for window in (world.window(1, 3), world.window(7, 99)))

        def guided(*windows):
            patched = model
            for window in windows:
                patched = attend(patched, [appearance], **window)
            return world.sample(patched, structure, guider=appearance_guider(patched))

        both = guided(early, late)
        assert world.relative(guided(late, early), both) < SAME
        assert world.relative(guided(late), both) > 1e-3
        assert world.relative(guided(early), both) > 1e-3

    def test_a_part_of_the_batch_is_left_alone(self, model, appearance, caplog) -> None:
        import comfy.samplers

        class OneByOne(comfy.samplers.CFGGuider):
            def predict_noise(self, x, timestep, model_options={}, seed=None):  # noqa: B006
                rows = zip(x.split(1), timestep.split(1), strict=True)
                return torch.cat([super(OneByOne, self).predict_noise(*row, model_options, seed) for row in rows])

        def sampled(patched):
            guider = OneByOne(patched)
            guider.set_conds(world.prompt(1), world.prompt(1))
            guider.set_cfg(1.0)
            return world.sample(patched, both, guider=guider)

        both = world.invert(model, world.latents(5, 2))
        assert torch.equal(sampled(attend(model, [appearance])), sampled(model))
        assert "asked about a part of the batch" in caplog.text

    def test_a_guider_with_another_first_prompt_is_left_alone(self, host, model, structure, appearance, caplog) -> None:
        def sampled(patched):
            node = host.nodes["DualCFGGuider"]
            guider = node.execute(patched, world.prompt(1), world.prompt(3), world.prompt(2), 2.0, 3.0, "regular")
            return world.sample(patched, structure, guider=guider.args[0])

        assert torch.equal(sampled(attend(model, [appearance])), sampled(model))
        assert "does not count the positive prompt as its first" in caplog.text

    def test_freeu_before_and_after(self, host, model, structure, appearance) -> None:
        freeu = host.nodes["FreeU"]
        parameters = {"b1": 1.1, "b2": 1.2, "s1": 0.9, "s2": 0.2}
        before = attend(freeu.execute(model, **parameters)[0], [appearance], structure)
        after = freeu.execute(attend(model, [appearance], structure), **parameters)[0]
        assert torch.equal(world.sample(before, structure), world.sample(after, structure))

    def test_a_lora_reaches_the_references_too(self, model, structure, appearance) -> None:
        """Weights are shared: a patched weight is patched in the reference forwards too, and restored afterwards."""
        name = "diffusion_model.output_blocks.5.1.transformer_blocks.0.attn1.to_v.weight"
        plain = world.sample(attend(model, [appearance], structure), structure)
        tuned = model.clone()
        tuned.add_patches({name: ("diff", (0.5 * torch.ones_like(model.model.state_dict()[name]),))}, 1.0)
        changed = world.sample(attend(tuned, [appearance], structure), structure)
        assert world.relative(changed, plain) > 1e-3
        assert torch.equal(world.sample(attend(model, [appearance], structure), structure), plain)

    @pytest.mark.parametrize("besides", [False, True], ids=["alone", "beside another hook"])
    def test_a_lora_as_a_hook_of_the_text_reaches_the_references_too(
        self, model, structure, appearance, besides
    ) -> None:
        """It is the model with that LoRA, in the references' forwards as in the output's."""
        import comfy.hooks

        name = "diffusion_model.output_blocks.5.1.transformer_blocks.0.attn1.to_v.weight"
        lora = {name: ("diff", (0.5 * torch.ones_like(model.model.state_dict()[name]),))}
        hook = comfy.hooks.WeightHook()
        hook.weights, hook.need_weight_init = lora, False
        group = comfy.hooks.HookGroup()
        group.add(hook)
        if besides:
            group.add(comfy.hooks.TransformerOptionsHook({"transformer_options": {"nothing": 0}}))
        text = [[world.prompt(1)[0][0], {"hooks": group}]]
        transferred = attend(model, [appearance], structure)
        hooked = world.sample(
            transferred, structure, guider=world.stock_guider(transferred, positive=text, negative=text)
        )
        tuned = model.clone()
        tuned.add_patches(lora, 1.0)
        assert world.relative(hooked, world.sample(attend(tuned, [appearance], structure), structure)) < 1e-4
        assert world.relative(hooked, world.sample(transferred, structure)) > 1e-3

    def test_controlnet_reaches_the_output_only(self, model, structure, appearance) -> None:
        import comfy.controlnet

        seen = []

        class Push(comfy.controlnet.ControlBase):
            """A stand-in at the edge: hands the U-Net one constant residual."""

            def pre_run(self, model, percent_to_timestep_function):
                pass

            def get_models(self):
                return []

            def copy(self):
                return self

            def get_control(self, x, t, cond, batched_number, transformer_options):
                seen.append(x.shape[0])
                return {"input": [], "middle": [], "output": [0.3 * torch.ones(x.shape[0], 64, 4, 4)]}

        controlled = [[world.prompt(1)[0][0], {"control": Push(), "control_apply_to_uncond": False}]]
        transferred = attend(model, [appearance], structure)
        guider = world.stock_guider(transferred, positive=controlled, negative=controlled)
        out = world.sample(transferred, structure, guider=guider)
        assert len(seen) == structure.steps
        assert world.relative(out, world.sample(transferred, structure)) > 1e-3


class TestRefusals:
    """One sentence each, before anything expensive; the next run is fine."""

    def test_no_appearance(self, model) -> None:
        with pytest.raises(ValueError, match="No appearance is connected"):
            attend(model, [])

    def test_a_structure_of_another_size(self, model, structure, appearance) -> None:
        """Before the first step, with the input named; the next run is fine."""
        counted = model.clone()
        counter = world.count_evaluations(counted)
        transferred = attend(counted, [appearance], structure)
        with pytest.raises(ValueError, match="8x8 and the inversion connected to structure is 16x16"):
            world.sample(transferred, structure, latent=torch.zeros(1, 4, 8, 8), sampler=_euler())
        assert counter.samples == 0
        assert not world.runs_of(transferred)
        world.sample(transferred, structure)

    def test_another_model(self, model, structure, appearance) -> None:
        from appearance_transfer.host.transfer.cross_image_attention import Appearance

        foreign = Appearance(
            _with(appearance, fingerprint={"architecture": "other", "weights": "", "latent_format": "SD15"})
        )
        with pytest.raises(ValueError, match="another kind of model"):
            attend(model, [foreign], structure)

    def test_another_checkpoint_of_the_family_is_a_warning(self, structure, appearance, caplog) -> None:
        attend(world.small_model(seed=1), [appearance], structure)
        assert "another checkpoint" in caplog.text

    def test_images_that_do_not_pair_up(self, model, structure) -> None:
        two = world.invert(model, world.latents(2, 2))
        with pytest.raises(ValueError, match="holds 2 images and the batch to sample 1"):
            world.sample(attend(model, [two], structure), structure)

    def test_a_sampler_that_jumps_cannot_replay(self, model, structure, appearance) -> None:
        import comfy.samplers

        for name in ("heun", "dpm_2"):
            transferred = attend(model, [appearance], structure, replayed=True)
            with pytest.raises(ValueError, match="visits every level once"):
                world.sample(transferred, structure, sampler=comfy.samplers.sampler_object(name))

    def test_another_architecture(self, model, appearance) -> None:
        from appearance_transfer.host.models.unet import decoder_levels

        stranger = model.clone()
        stranger.add_object_patch("diffusion_model", torch.nn.Linear(1, 1))
        with pytest.raises(ValueError, match="SD1.x, SD2.x, SDXL"):
            decoder_levels(stranger)

    def test_a_window_that_never_opens_says_so(self, model, structure, appearance, caplog) -> None:

        silent = attend(model, [appearance], window=world.window(50, 60))
        world.sample(silent, structure)
        assert "has no effect" in caplog.text


def _euler():
    import comfy.samplers

    return comfy.samplers.sampler_object("euler")


def _with(inversion, **changes):
    from dataclasses import replace

    return replace(inversion, **changes)
