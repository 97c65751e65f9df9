"""Other nodes that people put beside a transfer: ComfyUI's own, and stand-ins for packs with hooks of the same kind."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from appearance_transfer.tests.host import small_world as world

BEFORE_OR_AFTER, TEXTS, BOTH = "MODEL", "CONDITIONING", "MODEL and CONDITIONING"


@dataclass(frozen=True)
class Neighbor:
    """name: of the node or pack. on_model, on_texts: what it does with a MODEL and with a CONDITIONING.

    noise_mask: MASK [B, H, W] on the LATENT, without which it does nothing.
    """

    name: str
    on_model: Callable[[dict[str, type], Any], Any] | None = None
    on_texts: Callable[[dict[str, type], list], list] | None = None
    noise_mask: torch.Tensor | None = None

    @property
    def position(self) -> str:
        """Where it is put."""
        if self.on_model is None:
            return TEXTS
        return BEFORE_OR_AFTER if self.on_texts is None else BOTH


def ask(nodes: dict[str, type], name: str, *inputs: Any, **more: Any) -> Any:
    """The first output of one of ComfyUI's nodes, old or new."""
    node = nodes[name]
    if hasattr(node, "define_schema"):
        return node.execute(*inputs, **more)[0]
    return getattr(node(), node.FUNCTION)(*inputs, **more)[0]


def neighbors() -> list[Neighbor]:
    return [
        Neighbor("IPAdapter, as a stand-in", on_model=lambda nodes, model: looking_at_images(model)),
        Neighbor(
            "InstantID, as a stand-in",
            on_model=lambda nodes, model: looking_at_images(model, seed=31),
            on_texts=controlled,
        ),
        Neighbor(
            "PuLID, as a stand-in", on_model=lambda nodes, model: looking_at_images(model, seed=32, orthogonal=True)
        ),
        Neighbor("ControlNet (Apply ControlNet)", on_texts=controlled),
        Neighbor("LoRA (Load LoRA)", on_model=lambda nodes, model: with_lora(model)),
        Neighbor("LoRA as hooks (Create Hook LoRA)", on_texts=lambda nodes, text: with_lora_hooks(text)),
        patch("Self-Attention Guidance", "SelfAttentionGuidance", 0.5, 2.0),
        patch("Perturbed-Attention Guidance", "PerturbedAttentionGuidance", 3.0),
        patch("EasyCache", "EasyCache", 3.0, 0.3, 1.0, False),
        patch("LazyCache", "LazyCache", 3.0, 0.3, 1.0, False),
        patch("RescaleCFG", "RescaleCFG", 0.7),
        patch("Adaptive Projected Guidance (APG)", "APG", 0.0, 5.0, 0.0),
        patch("Tangential Damping CFG (TCFG)", "TCFG"),
        patch("RenormCFG", "RenormCFG", 100.0, 0.5),
        Neighbor("LatentApplyOperationCFG", on_model=sharpened),
        patch("FreeU", "FreeU", 1.1, 1.2, 0.9, 0.2),
        patch("FreeU_V2", "FreeU_V2", 1.3, 1.4, 0.9, 0.2),
        patch("Token Merging (ToMe Patch Model)", "TomePatchModel", 0.3),
        patch("HyperTile", "HyperTile", 64, 2, 0, False),
        Neighbor(
            "Differential Diffusion, with a noise mask",
            on_model=lambda nodes, model: ask(nodes, "DifferentialDiffusion", model, 1.0),
            noise_mask=torch.linspace(0.3, 1.0, 128).expand(1, 128, 128),
        ),
        Neighbor(
            "Regions by mask (Conditioning Set Mask)",
            on_texts=lambda nodes, text: text
            + ask(nodes, "ConditioningSetMask", world.prompt(5), left(), "default", 1.0),
        ),
        Neighbor(
            "Regions by area (Conditioning Set Area)",
            on_texts=lambda nodes, text: text
            + ask(nodes, "ConditioningSetArea", world.prompt(5), 64, 128, 0, 0, 1.0),
        ),
        Neighbor(
            "Text for a part of the steps (Conditioning Set Timestep Range)",
            on_texts=lambda nodes, text: text
            + ask(nodes, "ConditioningSetTimestepRange", world.prompt(5), 0.2, 0.8),
        ),
    ]  # fmt: skip


def patch(name: str, node: str, *parameters: Any) -> Neighbor:
    """A node that takes a MODEL and its parameters, and gives a MODEL."""
    return Neighbor(name, on_model=lambda nodes, model: ask(nodes, node, model, *parameters))


def left() -> torch.Tensor:
    mask = torch.zeros(1, 128, 128)
    mask[:, :, :64] = 1
    return mask


def looking_at_images(model: Any, seed: int = 30, orthogonal: bool = False) -> Any:
    """Cross-attention that looks at tokens of an image besides the text: others under prompt 0 than under prompt 1.

    As packs do it: a replacement of attn2 in every block, which picks what it holds for a prompt from a pair.
    """
    from comfy.ldm.modules.attention import optimized_attention

    generator = torch.Generator().manual_seed(seed)
    pair = (torch.randn(1, 4, world.CONFIG["context_dim"], generator=generator), torch.zeros(1, 4, 16))
    projections: dict[tuple, torch.Tensor] = {}

    def attend(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, extra: dict) -> torch.Tensor:
        prompts, heads = extra["cond_or_uncond"], extra["n_heads"]
        rows = len(q) // len(prompts)
        tokens = torch.cat([pair[prompt].expand(rows, -1, -1) for prompt in prompts])
        key = (*extra["block"], q.shape[-1])
        if key not in projections:
            projections[key] = torch.randn(tokens.shape[-1], q.shape[-1], generator=generator) / 4
        ours = tokens @ projections[key]
        text = optimized_attention(q, k, v, heads)
        image = optimized_attention(q, ours, ours, heads)
        if orthogonal:
            along = (image * text).sum(-1, keepdim=True) / text.square().sum(-1, keepdim=True).clamp_min(1e-6)
            image = image - along * text
        return text + 0.7 * image

    patched = model.clone()
    positions = (
        [("input", number) for number in range(6)] + [("output", number) for number in range(6)] + [("middle", 0)]
    )
    for position in positions:
        patched.set_model_attn2_replace(attend, *position)
    return patched


def controlled(nodes: dict[str, type], text: list) -> list:
    """A text under a tiny ControlNet of random weights."""
    import comfy.cldm.cldm
    import comfy.controlnet
    import comfy.ops

    config = {key: value for key, value in world.CONFIG.items() if key not in ("out_channels", "legacy")}
    network = comfy.cldm.cldm.ControlNet(
        **config, hint_channels=3, dtype=torch.float32, device="cpu", operations=comfy.ops.manual_cast
    )
    generator = torch.Generator().manual_seed(40)
    network.load_state_dict(
        {
            name: torch.randn(value.shape, generator=generator) / max(value[0].numel(), 1) ** 0.5 if value.ndim > 1
            else (name.endswith("weight") and "norm" in name) * torch.ones_like(value)
            for name, value in network.state_dict().items()
        }
    )  # fmt: skip
    network = comfy.controlnet.ControlNet(network, load_device=torch.device("cpu"))
    hint = torch.rand(1, 128, 128, 3, generator=generator)
    return ask(nodes, "ControlNetApply", text, network, hint, 0.5)


def lora() -> dict[str, torch.Tensor]:
    """A LoRA file's tensors for the last block's self-attention."""
    generator = torch.Generator().manual_seed(50)
    name = "diffusion_model.output_blocks.5.1.transformer_blocks.0.attn1.to_v"
    return {
        f"{name}.lora_up.weight": torch.randn(32, 4, generator=generator) / 4,
        f"{name}.lora_down.weight": torch.randn(4, 32, generator=generator) / 4,
    }


def with_lora(model: Any) -> Any:
    import comfy.sd

    return comfy.sd.load_lora_for_models(model, None, lora(), 1.0, 0.0)[0]


def with_lora_hooks(text: list) -> list:
    import comfy.hooks

    hooks = comfy.hooks.create_hook_lora(lora(), 1.0, 0.0)
    return comfy.hooks.set_hooks_for_conditioning(text, hooks)


def sharpened(nodes: dict[str, type], model: Any) -> Any:
    return ask(nodes, "LatentApplyOperationCFG", model, ask(nodes, "LatentOperationSharpen", 3, 1.0, 1.0))
