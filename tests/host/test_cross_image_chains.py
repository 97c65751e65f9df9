"""Cross-Image Attention with what other nodes do to the same MODEL."""

import pytest
import torch
from appearance_transfer.tests.host import small_world as world
from appearance_transfer.tests.host.cross_image import SAME, appearance_guider, attend


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


class TestChangedModels:
    """Nodes that change the network itself."""

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
