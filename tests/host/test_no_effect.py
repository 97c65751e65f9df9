"""Connections with which a transfer changes nothing: each is said once, with the input to change."""

import logging

import pytest
import torch
from appearance_transfer.tests.host import small_world as world


@pytest.fixture(params=["cross-image attention", "semantic rearrangement"])
def transfer(request):
    """transfer(model, inversions, structure=None, **settings) -> MODEL, by either node's function."""
    from appearance_transfer.host.transfer.cross_image_attention import transfer_appearance
    from appearance_transfer.host.transfer.plan import Appearance
    from appearance_transfer.host.transfer.semantic_rearrangement import rearrange_appearance

    def by(model, inversions, structure=None, **options):
        weighed = [entry if isinstance(entry, Appearance) else Appearance(entry) for entry in inversions]
        if request.param == "cross-image attention":
            return transfer_appearance(model, weighed, structure, world.transfer_settings(**options))
        return rearrange_appearance(model, weighed, structure, world.rearrangement_settings(**options))

    return by


def warnings(caplog) -> list[str]:
    """What was said as a warning since the last question."""
    found = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    caplog.clear()
    return found


def one_warning(caplog, *words: str) -> None:
    (sentence,) = warnings(caplog)
    for word in words:
        assert word in sentence


def guider(model, scale=3.5):
    from appearance_transfer.host.transfer.appearance_guider import AppearanceGuider, GuidanceSettings

    return AppearanceGuider(model, world.prompt(1), None, GuidanceSettings(scale=scale))


def test_what_is_right_says_nothing(model, structure, appearance, transfer, caplog) -> None:
    patched = transfer(model, [appearance], structure)
    world.sample(patched, structure, guider=guider(patched))
    assert not warnings(caplog)


def test_a_guider_without_a_transfer(model, appearance, transfer, caplog) -> None:
    guider(model)
    one_warning(caplog, "scale has no effect", "Connect the MODEL output of")
    guider(model, scale=1.0)
    guider(transfer(model, [appearance]))
    guider(transfer(model, [appearance], strength=0.0))
    assert not warnings(caplog)


class TestAppearanceOptions:
    def weigh(self, host, appearance, weight=1.0, **options):
        return host.nodes["AppearanceTransfer_AppearanceOptions"].execute(appearance, weight, **options).args[0]

    def test_weight_0(self, host, appearance, caplog) -> None:
        self.weigh(host, appearance, 0.0)
        one_warning(caplog, "its weight is 0", "Raise weight")

    def test_a_black_mask(self, host, appearance, caplog) -> None:
        self.weigh(host, appearance, mask=torch.zeros(1, 64, 64))
        one_warning(caplog, "its mask is empty", "disconnect mask")

    def test_a_part_says_nothing(self, host, appearance, caplog) -> None:
        mask = torch.zeros(1, 64, 64)
        mask[:, :8] = 0.5
        self.weigh(host, appearance, 0.5, mask=mask)
        assert not warnings(caplog)


class TestAdaIN:
    def operation(self, appearance, first, last):
        from appearance_transfer.host.transfer.adain_operation import AdaINOperation

        return AdaINOperation(appearance, None, None, world.window(first, last))

    @pytest.mark.parametrize(("first", "last"), [(10, 99), (5, 4)], ids=["behind the last step", "empty"])
    def test_a_window_that_never_opens(self, model, structure, appearance, first, last, caplog) -> None:
        out = world.sample(model, structure, between_steps=self.operation(appearance, first, last))
        assert torch.equal(out, world.sample(model, structure))
        one_warning(caplog, "AdaIN has no effect", "none of the 10 steps of this run", "Lower start_percent")

    def test_a_window_that_opens_at_the_last_step(self, model, structure, appearance, caplog) -> None:
        world.sample(model, structure, between_steps=self.operation(appearance, 9, 99))
        assert not warnings(caplog)


class TestSameImage:
    def test_as_structure_and_appearance(self, model, structure, transfer, caplog) -> None:
        again = world.invert(model, world.latents(1), seed=9)
        transfer(model, [again], structure)
        one_warning(caplog, "inversions of the same image", "Connect the inversion of another image")

    def test_one_appearance_of_two_is_its_own_look(self, model, structure, appearance, transfer, caplog) -> None:
        transfer(model, [structure, appearance], structure)
        assert not warnings(caplog)

    def test_resumed_from_the_appearance(self, model, structure, appearance, transfer, caplog) -> None:
        world.sample(transfer(model, [appearance], structure), appearance)
        one_warning(caplog, "was given the inversion of the appearance", "Connect the inversion of the structure")


class TestText:
    def test_another_text_than_the_inversion_s(self, model, structure, appearance, transfer, caplog) -> None:
        patched = transfer(model, [appearance], structure)
        other = world.stock_guider(patched, positive=world.prompt(3), negative=world.prompt(3))
        world.sample(patched, structure, guider=other)
        one_warning(caplog, "guider's positive text", "Connect the text of the inversion to positive")

    def test_a_combined_text_that_holds_it(self, model, structure, appearance, transfer, caplog) -> None:
        patched = transfer(model, [appearance], structure)
        both = world.stock_guider(patched, positive=world.prompt(3) + world.prompt(1))
        world.sample(patched, structure, guider=both)
        assert not warnings(caplog)

    def test_without_a_transfer_a_text_is_an_edit(self, model, structure, caplog) -> None:
        other = world.stock_guider(model, positive=world.prompt(3), negative=world.prompt(3))
        world.sample(model, structure, guider=other)
        assert not warnings(caplog)


class TestReplacedAttention:
    def attend(self, model, appearance, structure=None):
        from appearance_transfer.host.transfer.cross_image_attention import transfer_appearance
        from appearance_transfer.host.transfer.plan import Appearance

        return transfer_appearance(model, [Appearance(appearance)], structure, world.transfer_settings())

    @pytest.mark.parametrize(("blocks", "layers"), [(range(6), "4 of 4"), ([5], "1 of 4")], ids=["all", "one"])
    def test_another_node_after_ours(self, model, structure, appearance, blocks, layers, caplog) -> None:
        from appearance_transfer.host.models.unet_attention import plain_attention

        patched = self.attend(model, appearance)
        for block in blocks:
            patched.set_model_attn1_replace(plain_attention, "output", block)
        world.sample(patched, structure)
        one_warning(caplog, "Another node replaces", f"in {layers} layers", "model input of Cross-Image Attention")

    def test_another_node_that_calls_ours(self, model, structure, appearance, caplog) -> None:
        patched = self.attend(model, appearance)
        ours = patched.model_options["transformer_options"]["patches_replace"]["attn1"]
        for key, replacement in dict(ours).items():

            def calls(q, k, v, extra, replacement=replacement):
                return replacement(q, k, v, extra)

            patched.set_model_attn1_replace(calls, *key)
        world.sample(patched, structure)
        assert not warnings(caplog)

    def test_a_step_without_the_network_says_nothing(self, model, structure, appearance, transfer, caplog) -> None:
        """As EasyCache leaves steps out."""
        import comfy.patcher_extension

        def left_out(executor, x, *args, **kwargs):
            return torch.zeros_like(x)

        patched = transfer(model, [appearance])
        patched.add_wrapper_with_key(comfy.patcher_extension.WrappersMP.DIFFUSION_MODEL, "cache", left_out)
        world.sample(patched, structure)
        assert not warnings(caplog)


def test_a_compiled_network_is_warned_of(model, structure, appearance, transfer, caplog) -> None:
    """As TorchCompileModel marks it; what compiling does to a transfer is in docs/limits.md."""
    from comfy_api.torch_helpers.torch_compile import TORCH_COMPILE_KWARGS

    compiled = transfer(model, [appearance])
    compiled.model_options[TORCH_COMPILE_KWARGS] = {"backend": "inductor"}
    with caplog.at_level(logging.WARNING, logger="appearance_transfer"):
        world.sample(compiled, structure)
    one_warning(caplog, "TorchCompileModel", "Take that node out")
