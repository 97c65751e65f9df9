"""Where recorded keys and values lie on cards of three sizes: on the card, or on the CPU where it is short of memory.

Tiny networks stand in for Flux.1 at 1024 px: what a forward of one needs, what is recorded of a reference and what its
weights leave free are Flux.1's; the tensors and the decision are real.
"""

from __future__ import annotations

import pytest
import torch
from appearance_transfer.attention.recorded_bytes import RecordedLayer
from appearance_transfer.tests.host import small_world as world
from appearance_transfer.tests.host.cross_image import attend
from appearance_transfer.tests.host.rearranging import rearrange
from appearance_transfer.tests.host.transformer_family import Family

GIB, MIB = 2**30, 2**20
RECORDED = [RecordedLayer(tokens=4096, channels=2 * 3072)] * 29  # by the later half of its blocks
VALUE = 2  # bytes, bf16
FORWARD = 1016 * MIB  # by ComfyUI's own count, for each row
WEIGHTS = 11.1 * GIB  # in fp8
RESERVED = 1.0 * GIB  # by the driver, the screen and ComfyUI
SHORT = {8: True, 12: True, 24: False}
PLENTY = 96
SAME = 1e-4  # relative, fp32: rows of a forward of another size
SENTENCE = "is kept on the CPU and brought back block by block. The result is the same."


def free_on(gigabytes: int) -> int:
    """What is free on a card of this size once the weights are there, of which ComfyUI keeps some on the CPU to leave
    room for a forward.
    """
    return int(max(gigabytes * GIB - RESERVED - WEIGHTS, FORWARD + RESERVED))


@pytest.fixture
def card(monkeypatch):
    """card(gigabytes, at_once): from now on there is a card of this size, and so many noise levels share a forward at
    most.
    """
    import comfy.model_base
    from appearance_transfer.host.transfer import reference_forwards
    from appearance_transfer.host.transfer.transformer_patch import TransformerPatch
    from appearance_transfer.host.transfer.unet_patch import UNetPatch

    usual = reference_forwards.batches_per_forward
    for patch in (TransformerPatch, UNetPatch):
        monkeypatch.setattr(patch, "recorded_layers", lambda network, method, size: RECORDED)
    monkeypatch.setattr(
        comfy.model_base.BaseModel, "memory_required", lambda model, shape, cond_shapes=(): shape[0] * FORWARD
    )
    monkeypatch.setattr("comfy.model_management.dtype_size", lambda dtype: VALUE)

    def make(gigabytes: int, at_once: int = 1) -> None:
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device=None: (free_on(gigabytes), gigabytes * GIB))
        monkeypatch.setattr(
            reference_forwards,
            "batches_per_forward",
            lambda model, device, batch, requested, **kept: usual(
                model, device, batch, min(requested, at_once), **kept
            ),
        )

    return make


@pytest.fixture
def kept_on(monkeypatch) -> set[str]:
    """The kinds of device on which features wait until the output reads them."""
    from appearance_transfer.host.transfer.feature_cache import FeatureCache
    from appearance_transfer.host.transfer.transformer_edits import START

    devices: set[str] = set()
    usual = FeatureCache.fill

    def fill(cache, references) -> None:
        layers = [features.tensors for reference in references for features in reference.layers.values()]
        devices.update(tensor.device.type for layer in layers for name, tensor in layer.items() if name != START)
        usual(cache, references)

    monkeypatch.setattr(FeatureCache, "fill", fill)
    return devices


def on_gpu(model):
    model.load_device = torch.device("cuda", 0)
    return model


@pytest.fixture(scope="module")
def unet_run(host):
    """run(transfer, settings): a transfer on the small U-Net, which reads appearance and structure."""
    model = on_gpu(world.small_model())
    structure, appearance = (world.invert(model, world.latents(seed), seed=seed) for seed in (1, 2))

    def run(transfer, **settings) -> torch.Tensor:
        return world.sample(transfer(model, [appearance], structure, **settings), structure)

    return run


@pytest.fixture(scope="module", params=["Flux.1", "SD3.5 medium"])
def transformer_run(host, request):
    """run(): what a tiny transformer predicts at four levels beside two references of different size."""
    family = Family(request.param)
    on_gpu(family.model)
    references = [family.appearance, family.noised(3, size=tuple(side - 2 for side in family.tiny.latent[1:]))]

    def run() -> torch.Tensor:
        transferred = family.transferred(references)
        levels = family.predictions(transferred, family.structure.trajectory, cfg=2.0, levels=range(4))
        return torch.cat([side.cpu() for level in levels for side in level])

    return run


def check_place(kept_on: set[str], text: str, short: bool) -> None:
    assert kept_on == {"cpu" if short else "cuda"}
    assert (SENTENCE in text) is short


@pytest.mark.parametrize(
    ("transfer", "settings"), [(attend, {}), (attend, {"replayed": True}), (rearrange, {"inject": "kv"})]
)
@pytest.mark.parametrize("gigabytes", SHORT)
def test_unet(unet_run, card, kept_on, caplog, transfer, settings, gigabytes) -> None:
    card(PLENTY)
    expected = unet_run(transfer, **settings)
    kept_on.clear()
    card(gigabytes)
    with caplog.at_level("INFO"):
        assert torch.equal(unet_run(transfer, **settings), expected)
    check_place(kept_on, caplog.text, SHORT[gigabytes])


@pytest.mark.parametrize("gigabytes", SHORT)
def test_transformers(transformer_run, card, kept_on, caplog, gigabytes) -> None:
    card(PLENTY)
    expected = transformer_run()
    kept_on.clear()
    card(gigabytes)
    with caplog.at_level("INFO"):
        assert torch.equal(transformer_run(), expected)
    check_place(kept_on, caplog.text, SHORT[gigabytes])


@pytest.mark.parametrize("gigabytes", SHORT)
def test_several_steps_at_once_where_there_is_room(unet_run, card, kept_on, caplog, gigabytes) -> None:
    card(PLENTY)
    expected = unet_run(attend)
    kept_on.clear()
    card(gigabytes, at_once=99)
    with caplog.at_level("INFO"):
        assert world.relative(unet_run(attend), expected) < SAME
    check_place(kept_on, caplog.text, SHORT[gigabytes])
    assert ("at once" in caplog.text) is not SHORT[gigabytes]


def test_other_models_are_unloaded_first(unet_run, card, kept_on, caplog, monkeypatch) -> None:
    """As ComfyUI does it: what does not sample now has to leave, and then there is room."""
    import comfy.model_management as management

    card(12)
    usual, asked = management.free_memory, []

    def free_memory(needed, device, keep_loaded=(), **options):
        if keep_loaded:  # ours
            asked.append([loaded.model.model for loaded in keep_loaded])
            card(24)
        return usual(needed, device, keep_loaded, **options)

    monkeypatch.setattr(management, "free_memory", free_memory)
    unet_run(attend)
    assert len(asked) == 1
    assert len(asked[0]) == 1
    check_place(kept_on, caplog.text, short=False)
