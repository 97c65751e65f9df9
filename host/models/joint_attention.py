"""The self-attention of a transformer as ComfyUI shows it: which block, which rows, where the image's tokens are.

Two places. The override of the attention, `transformer_options["optimized_attention_override"]`, sees queries, keys and
values as they are attended to, with their positions. A patch "attn1_patch" sees them before positions enter, in the
families that hand them out.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import comfy.model_patcher
import comfy.patcher_extension
import torch
from torch import Tensor

from .attention_layer import AttentionLayer, Grid
from .families.transformer import Transformer

KEY = "appearance_transfer"
MASKED_OUT = -1e4
"""An additive mask below this hides a key."""


class Forward:
    """The size of the latent that the network is computing, which an attention is not told."""

    def __init__(self) -> None:
        self.size: Grid = (0, 0)

    def seen(self, executor: Any, x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        """A wrapper around every forward of the network."""
        self.size = (x.shape[-2], x.shape[-1])
        return executor(x, *args, **kwargs)

    def watch(self, transformer_options: dict[str, Any]) -> None:
        """Let it be told of the forwards that run with these options."""
        apply_model = comfy.patcher_extension.WrappersMP.APPLY_MODEL
        comfy.patcher_extension.add_wrapper_with_key(apply_model, KEY, self.seen, transformer_options)


@dataclass(frozen=True)
class JointLayer:
    """A self-attention over the whole image: the layer, and the slice of its sequence that holds the image's tokens."""

    layer: AttentionLayer
    image: slice


def joint_layer(
    transformer: Transformer, size: Grid, q: Tensor, k: Tensor, heads: int, options: Mapping[str, Any]
) -> JointLayer | None:
    """What is being computed; None for attention of other kinds (to the text, in a refiner, over a part of an image).

    size: of the latent. q, k: [rows, heads, N, d]. options: transformer_options of the call.
    """
    block = options.get("block_type"), options.get("block_index")
    if block not in transformer.blocks or q.shape[2] != k.shape[2]:
        return None
    height, width = grid = transformer.grid_of(size)
    references = sum(options.get("reference_image_num_tokens", ()))
    start = k.shape[2] - references - transformer.padded(height * width)
    if start < 0:
        return None
    layer = AttentionLayer(
        key=(*block, "image alone") if start == 0 else block,  # SD3.5 medium attends twice in some blocks
        heads=heads,
        fp32=False,
        grid=grid,
        tokens=height * width,
        latent_size=size,
        rows=q.shape[0],
        prompts=tuple(options["cond_or_uncond"]),
        uuids=tuple(options.get("uuids", ())),
        joint=True,
    )
    return JointLayer(layer, slice(start, start + height * width))


def heads_first(tokens: Tensor, heads: int, are_first: bool) -> Tensor:
    """[B, heads, N, d], from one of the forms that ComfyUI hands to its attention: that, [B, N, heads*d] or
    [B, N, heads, d].
    """
    if are_first:
        return tokens
    return (tokens if tokens.ndim == 4 else tokens.unflatten(-1, (heads, -1))).transpose(1, 2)


def visible_keys(mask: Tensor | None, rows: list[int], image: slice) -> Tensor | None:
    """Which keys [N] bool the image queries of these rows see; None where they see all.

    mask: of the attention, bool or additive, [rows or 1, (1,) (1 or N,) N]. Raises ValueError for one that weighs keys
    or tells the image's queries or the rows apart.
    """
    if mask is None:
        return None
    mask = mask.reshape(mask.shape[0], -1, mask.shape[-1])
    mask = mask[:, image] if mask.shape[1] > 1 else mask
    seen = mask if mask.dtype == torch.bool else mask > MASKED_OUT
    if not bool((seen == seen[:, :1]).all()) or (mask.dtype != torch.bool and bool((mask[seen] != 0).any())):
        raise ValueError(
            "The CONDITIONING weighs parts of itself by an attention mask, as Apply Style Model does, and a transfer "
            "cannot be combined with that. Connect the text from before that node."
        )
    seen = seen[rows, 0] if len(seen) > 1 else seen[:, 0]
    if not bool((seen == seen[:1]).all()):
        raise ValueError(
            "The texts of the batch have different attention masks, which a transfer cannot read in one run. Sample "
            "them one by one."
        )
    return None if bool(seen.all()) else seen[0]


def mask_of(args: Sequence[Any], about: dict[str, Any]) -> Tensor | None:
    """The mask of a call of ComfyUI's attention, which hands it over by position or by name."""
    return args[0] if args else about.get("mask")


class AttentionOverride:
    """An override of ComfyUI's attention that calls the one it finds, of another node, wherever it attends as usual.

    edit: called with (attend, q, k, v, heads, *args, **kwargs) as an override is, `attend` being the plain attention.
    """

    def __init__(self, edit: Callable[..., Tensor], previous: Callable[..., Tensor] | None):
        self.edit = edit
        self.previous = previous

    def __call__(self, function: Callable[..., Tensor], *args: Any, **kwargs: Any) -> Tensor:
        def attend(*args: Any, **kwargs: Any) -> Tensor:
            return function(*args, **kwargs) if self.previous is None else self.previous(function, *args, **kwargs)

        return self.edit(attend, *args, **kwargs)


def foreign_override(transformer_options: Mapping[str, Any]) -> Callable[..., Tensor] | None:
    """The override that another node has set, below those of transfers."""
    found = transformer_options.get("optimized_attention_override")
    while isinstance(found, AttentionOverride):
        found = found.previous
    return found


def watched(transformer: Transformer, transformer_options: dict[str, Any]) -> Forward:
    """The forwards that run with these options, in which every block has its name."""
    forward = Forward()
    forward.watch(transformer_options)
    name_blocks(transformer, transformer_options)
    return forward


def name_blocks(transformer: Transformer, transformer_options: dict[str, Any]) -> None:
    """Write into options, for a family that does not, which block computes; replacements of other nodes go on."""
    if transformer.names_blocks:
        return
    replaced = transformer_options.setdefault("patches_replace", {}).setdefault("dit", {})
    for kind, number in transformer.blocks:
        where = f"{kind}_block", number
        replaced[where] = _named(kind, number, replaced.get(where))


def _named(kind: str, number: int, previous: Callable[..., Any] | None) -> Callable[..., Any]:
    def compute(args: dict[str, Any], extra: dict[str, Any]) -> Any:
        options = args["transformer_options"] | {"block_type": kind, "block_index": number}
        args = args | {"transformer_options": options}
        return extra["original_block"](args) if previous is None else previous(args, extra)

    return compute
