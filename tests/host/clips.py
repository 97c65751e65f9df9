"""CLIPs of which none is at hand: fakes whose space is how red something is, and a real one of random weights."""

from types import SimpleNamespace

import torch


class FakeVision:
    """Stands for a CLIP_VISION: sees how red an image is."""

    def encode_image(self, image):
        red, rest = image[..., 0].mean((1, 2)), image[..., 1:].mean((1, 2, 3))
        return SimpleNamespace(image_embeds=torch.stack([red, rest], dim=1))


class FakeClip:
    """Stands for a CLIP to which a text means "not red" where it says "not", and else "red"."""

    def __init__(self, width: int = 2, projection: torch.Tensor | None = None) -> None:
        self.width = width
        weight = 2 * torch.eye(width) if projection is None else projection
        state = {"clip_l.transformer.text_projection.weight": weight}
        self.cond_stage_model = SimpleNamespace(state_dict=lambda: state)

    def tokenize(self, text):
        return text

    def encode_from_tokens(self, tokens, return_pooled):
        assert return_pooled
        return torch.zeros(1, 77, 4), torch.eye(2, self.width)[int("not" in tokens)][None]


def redness(image: torch.Tensor) -> torch.Tensor:
    """What the fakes take for the agreement with a text: the cosine of (red, rest) with (1, 0)."""
    red, rest = image[..., 0].mean((1, 2)), image[..., 1:].mean((1, 2, 3))
    return red / (red**2 + rest**2).sqrt()


def small_vision():
    """A CLIP_VISION of ComfyUI with few and random weights, images of 32 px and a space of 8."""
    from comfy.clip_vision import ClipVisionModel

    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_attention_heads": 2, "num_hidden_layers": 2}
    more = {"image_size": 32, "patch_size": 8, "projection_dim": 8, "num_channels": 3, "hidden_act": "quick_gelu"}
    vision = ClipVisionModel({**sizes, **more, "layer_norm_eps": 1e-5, "model_type": "clip_vision_model"})
    random = torch.Generator().manual_seed(0)
    state = {
        name: 0.3 * torch.randn(t.shape, generator=random)
        for name, t in vision.get_sd().items()
        if t.is_floating_point()
    }
    vision.load_sd(state)
    return vision
