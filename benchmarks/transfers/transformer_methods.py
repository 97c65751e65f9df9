"""The methods of the comparison on the pocket transformer by name, and each with one thing changed.

Imports ComfyUI's modules, so import it after ComfyUI has started.
"""

from __future__ import annotations

from dataclasses import replace

from ...attention.shared_keys import BALANCED, CONCATENATED
from ...host.transfer.appearance_guider import GuidanceSettings
from ...host.transfer.cross_image_attention import CrossImageSettings
from ...host.transfer.semantic_rearrangement import RearrangementSettings
from .deviated import NEARLY_ALL, Deviated
from .flow_edited import FlowEdited
from .on_transformer import WHOLE, Method, Refined, Transfer, autoencoded_answer, few, identity, sdedit
from .pair_guidance import FOUND, OWN, TRUE

ATTENTION = CrossImageSettings(window=WHOLE)
KV = RearrangementSettings(inject="kv", window=WHOLE)
LIKENESS = Transfer(ATTENTION)
NEAR_MATCHES = Transfer(ATTENTION, matches=FOUND)
REARRANGED = Transfer(KV, matches=FOUND)
FOUR_STEPS = replace(REARRANGED, masks=FOUND, levels=few(4))
LEVELS = {
    **{f"from {noisiest}": few(4, noisiest) for noisiest in (0.65, 0.85, 0.95)},
    "more of them noisy": (0.75, 0.65, 0.5, 0.3, 0.0),
    "fewer of them noisy": (0.75, 0.45, 0.25, 0.1, 0.0),
}
"""Where four steps may stand, beside 0.75 in equal parts."""


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
    "by likeness, appearance flipped": replace(LIKENESS, flipped=True),
    "by likeness, columns turned around": _attention(mirror_columns=True),
    "by likeness, no AdaIN": replace(LIKENESS, adain=False),
    "by likeness, guided": replace(LIKENESS, guidance=GuidanceSettings(every=1)),
    "near found matches": NEAR_MATCHES,
    **{f"near found matches, {steps} steps": replace(NEAR_MATCHES, levels=few(steps)) for steps in (2, 4, 8, 28)},
    "near found matches, positions damped": replace(NEAR_MATCHES, settings=replace(ATTENTION, position=1.0)),
    "rearranged by found matches": REARRANGED,
    "rearranged by true matches": replace(REARRANGED, matches=TRUE),
    "rearranged by found matches, queries too": replace(REARRANGED, settings=replace(KV, inject="feature")),
    **{
        f"rearranged by found matches, {steps} steps": replace(REARRANGED, levels=few(steps)) for steps in (2, 4, 8, 28)
    },
    "nothing given": replace(REARRANGED, masks=FOUND),
    "nothing given, 4 steps": FOUR_STEPS,
    **{f"nothing given, 4 steps, {how}": replace(FOUR_STEPS, levels=levels) for how, levels in LEVELS.items()},
    **{
        f"nothing given, 4 steps, {how}": Refined(FOUR_STEPS, levels)
        for how, levels in {"refined from 0.1": few(1, 0.1), "refined from 0.2": few(2, 0.2)}.items()
    },
    "nothing given, by likeness": replace(LIKENESS, masks=FOUND),
    "Latent Deviation by found matches": Deviated(steps=20),
    **{f"Latent Deviation by found matches, {steps} steps": Deviated(steps, NEARLY_ALL) for steps in (4, 6, 8, 12)},
    "Latent Deviation by found matches, 28 steps": Deviated(steps=28),
    "Latent Deviation, nothing given, 8 steps": Deviated(8, NEARLY_ALL, FOUND),
    "Latent Deviation by its own features, 8 steps": Deviated(8, NEARLY_ALL, matches=OWN),
    "Latent Deviation, nothing given, by its own features, 8 steps": Deviated(8, NEARLY_ALL, OWN, OWN),
    "rearranged by its own features, 4 steps": replace(REARRANGED, matches=OWN, levels=few(4)),
    "nothing given, by its own features, 4 steps": replace(REARRANGED, masks=OWN, matches=OWN, levels=few(4)),
    "FlowEdit, by likeness": FlowEdited(LIKENESS, steps=8),
    "FlowEdit, rearranged by found matches": FlowEdited(REARRANGED, steps=8),
    **{f"FlowEdit, rearranged by found matches, {steps} steps": FlowEdited(REARRANGED, steps) for steps in (2, 4, 28)},
    "FlowEdit, nothing given, 4 steps": FlowEdited(replace(REARRANGED, masks=FOUND), steps=4),
    "FlowEdit between two texts": FlowEdited(Transfer(), steps=24, noisiest=24 / 28, source_cfg=1.5, cfg=5.5),
}
"""The first are those that the page of models compares; those behind a comma change one thing."""
