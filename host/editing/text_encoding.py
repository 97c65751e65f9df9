"""Edit directions (editing/direction.py) with ComfyUI's CLIP: many sentences through it, and a CONDITIONING moved."""

import hashlib
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import comfy.model_management
import comfy.utils
from comfy.sd1_clip import SDClipModel
from torch import Tensor

from ...editing.direction import EditDirection, Encoding, mean_encoding, moved_pooled, moved_tokens

log = logging.getLogger("appearance_transfer")

BATCH = 32  # sentences per forward
KNOWN = {"l", "g", "h"}  # ComfyUI's names of the text encoders of SD1.x, SDXL and SD2.x; all read chunks of 77 tokens

# text encoder -> one chunk of (token, weight) pairs per sentence
Tokens = dict[str, list[list[tuple[int, float]]]]


def mean_encodings(clip: Any, *banks: Sequence[str]) -> list[Encoding]:
    """The mean encoding of each bank of sentences, as CLIP Text Encode encodes one; on the CPU.

    Shows progress over all banks and stops between batches when the run is interrupted. Brackets are words here, not
    weights. Raises ValueError for text encoders other than those of SD1.x, SD2.x and SDXL.
    """
    tokens = [_tokens(clip, bank) for bank in banks]
    bar = comfy.utils.ProgressBar(sum(map(len, banks)))

    def batches(of_bank: Tokens, count: int) -> Iterator[Encoding]:
        for first in range(0, count, BATCH):
            comfy.model_management.throw_exception_if_processing_interrupted()
            encoding = _encode(clip, {key: chunks[first : first + BATCH] for key, chunks in of_bank.items()})
            bar.update(len(encoding.tokens))
            yield encoding

    return [mean_encoding(batches(of_bank, len(bank))) for of_bank, bank in zip(tokens, banks, strict=True)]


def _tokens(clip: Any, sentences: Sequence[str]) -> Tokens:
    """The first chunk of every sentence; says how many sentences were longer than that."""
    tokens: Tokens = {}
    longer = 0
    for sentence in sentences:
        found = clip.tokenize(sentence, disable_weights=True)
        if not KNOWN.issuperset(found):
            raise ValueError(
                f"This CLIP has the text encoders {', '.join(sorted(found))}, but edit directions are made with those "
                "of SD1.x, SD2.x and SDXL. Connect the CLIP of such a checkpoint."
            )
        for key, chunks in found.items():
            tokens.setdefault(key, []).append(chunks[0])
        longer += any(len(chunks) > 1 for chunks in found.values())
    if longer:
        log.warning("%d of %d sentences have more than 77 tokens; the rest is left out.", longer, len(sentences))
    return tokens


def _encode(clip: Any, tokens: Tokens) -> Encoding:
    """One forward: to ComfyUI, the sentences are the chunks of one long prompt, which it encodes side by side."""
    count = len(next(iter(tokens.values())))
    with _pooled_of_every_chunk(clip) as pooled:
        flat, of_first = clip.encode_from_tokens(tokens, return_pooled=True)
    of_all = None
    if of_first is not None:
        of_all = next(rows for rows in pooled if rows.shape[1:] == of_first.shape[1:])
    return Encoding(flat.reshape(count, -1, flat.shape[-1]), of_all)


@contextmanager
def _pooled_of_every_chunk(clip: Any) -> Iterator[list[Tensor]]:
    """Takes down the pooled embeddings [n, P] of every text encoder; ComfyUI hands out only the first chunk's."""
    pooled: list[Tensor] = []

    def note(module: Any, inputs: Any, outputs: tuple) -> None:
        if outputs[1] is not None:
            pooled.append(outputs[1])

    encoders = [module for module in clip.cond_stage_model.modules() if isinstance(module, SDClipModel)]
    hooks = [encoder.register_forward_hook(note) for encoder in encoders]
    try:
        yield pooled
    finally:
        for hook in hooks:
            hook.remove()


def encoder_fingerprint(clip: Any) -> dict[str, str]:
    """Identity of a CLIP: its text encoders and their widths, a hash of their weights, and the layer that is read.

    The hash is of the last normalizations' biases, which no LoRA touches.
    """
    biases = {
        name: bias for name, bias in clip.cond_stage_model.named_parameters() if name.endswith("final_layer_norm.bias")
    }
    digest = hashlib.sha256()
    for name in sorted(biases):
        digest.update(biases[name].detach().float().cpu().numpy().tobytes())
    architecture = ", ".join(f"{name.split('.')[0]} {len(biases[name])}" for name in sorted(biases))
    return {"architecture": architecture, "weights": digest.hexdigest()[:16], "layer": str(clip.layer_idx)}


def check_encoder(direction: EditDirection, clip: Any) -> None:
    """Check that a direction was made with this CLIP; another one of the same kind is only warned of.

    Raises ValueError for another kind of text encoder.
    """
    needed = encoder_fingerprint(clip)
    if direction.encoder.get("architecture") != needed["architecture"]:
        raise ValueError(
            f"The edit direction was made with another kind of text encoder ({direction.encoder.get('architecture')}, "
            f"the connected CLIP is {needed['architecture']}). Make it again with this CLIP."
        )
    if direction.encoder != needed:
        log.warning("The edit direction was made with a CLIP of other weights or another layer; it may be less exact.")


def apply_direction(conditioning: list, direction: EditDirection, strength: float) -> list:
    """A CONDITIONING moved along the direction in all its entries, pooled embeddings too. strength 0: as it is.

    Raises ValueError where it was encoded by another kind of text encoder.
    """
    if strength == 0:
        return conditioning
    entries = []
    for tokens, extras in conditioning:
        extras = dict(extras)
        if extras.get("pooled_output") is not None:
            extras["pooled_output"] = moved_pooled(extras["pooled_output"], direction, strength)
        entries.append([moved_tokens(tokens, direction, strength), extras])
    return entries
