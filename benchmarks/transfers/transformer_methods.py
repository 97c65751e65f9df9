"""The methods of the comparison on the pocket transformer by name, and each with one thing changed.

Imports ComfyUI's modules, so import it after ComfyUI has started.
"""

from __future__ import annotations

from dataclasses import replace

from ...attention.shared_keys import BALANCED, CONCATENATED
from ...host.transfer.appearance_guider import GuidanceSettings
from ...host.transfer.cross_image_attention import CrossImageSettings
from ...host.transfer.semantic_rearrangement import RearrangementSettings
from .on_transformer import WHOLE, Method, Transfer, autoencoded_answer, identity, sdedit
from .unet_guidance import FOUND, TRUE

ATTENTION = CrossImageSettings(window=WHOLE)
KV = RearrangementSettings(inject="kv", window=WHOLE)
LIKENESS = Transfer(ATTENTION)
NEAR_MATCHES = Transfer(ATTENTION, matches=FOUND)
REARRANGED = Transfer(KV, matches=FOUND)


def _attention(**changed: object) -> Transfer:
    return replace(LIKENESS, settings=replace(ATTENTION, **changed))


METHODS: dict[str, Method] = {
    "identity": identity,
    "perfect answer, autoencoder": autoencoded_answer,
    "resumed only": Transfer(adain=False),
    "AdaIN only": Transfer(),
    "SDEdit": sdedit,
    "concatenated": _attention(sharing=CONCATENATED, contrast=1.0),
    "Untwisting RoPE": _attention(sharing=CONCATENATED, contrast=1.0, position=1.0),
    "balanced": _attention(sharing=BALANCED, strength=0.9),
    "balanced, half": _attention(sharing=BALANCED, strength=0.5),
    "by likeness": LIKENESS,
    "by likeness, all of the appearance readable": replace(LIKENESS, keys=False),
    "by likeness, no contrast": _attention(contrast=1.0),
    "by likeness, all blocks": _attention(blocks="all"),
    "by likeness, blocks 2-7": _attention(blocks="2-7"),
    "by likeness, positions half damped": _attention(position=0.5),
    "by likeness, positions damped": _attention(position=1.0),
    "by likeness, no AdaIN": replace(LIKENESS, adain=False),
    "by likeness, guided": replace(LIKENESS, guidance=GuidanceSettings(every=1)),
    "near found matches": NEAR_MATCHES,
    "near found matches, positions damped": replace(NEAR_MATCHES, settings=replace(ATTENTION, position=1.0)),
    "rearranged by found matches": REARRANGED,
    "rearranged by true matches": replace(REARRANGED, matches=TRUE),
    "rearranged by found matches, queries too": replace(REARRANGED, settings=replace(KV, inject="feature")),
    "rearranged by found matches, 8 steps": replace(REARRANGED, few=8),
    "rearranged by found matches, 4 steps": replace(REARRANGED, few=4),
    "nothing given": replace(REARRANGED, masks=FOUND),
    "nothing given, by likeness": replace(LIKENESS, masks=FOUND),
}
"""The first are those that the page of models compares; those behind a comma change one thing."""
