"""What the report says in its first lines, each sentence with the cells that its numbers are of."""

from __future__ import annotations

from .claims import Cell, Claim, Count

EFFECT = ("part_color_error", "silhouette_iou", "background_change")
RATIO = "ours / released"


def _effect(method: str, metric: str) -> Cell:
    return Cell("effect.csv", (method,), metric)


CLAIMS = (
    Claim(
        "Colors of the parts, as the share of their distance to the appearance that is left (identity 1, the perfect "
        "answer through the autoencoder {}): Cross-Image Attention {}, with true masks {}; ComfyUI's color transfer "
        "{}, img2img {}, SDEdit {}.",
        tuple(
            _effect(method, EFFECT[0])
            for method in (
                "perfect answer, autoencoder",
                "ours",
                "ours, true masks",
                "color transfer",
                "img2img",
                "SDEdit",
            )
        ),
    ),
    Claim(
        "With nothing given, each finds the object and its matches: Cross-Image Attention {}, Semantic Rearrangement "
        "{}, Latent Deviation {}.",
        tuple(
            _effect(method, EFFECT[0])
            for method in ("ours, found", "eye-for-an-eye, found", "fine-grained, found, 20 steps")
        ),
    ),
    Claim(
        "Silhouettes, as IoU with the structure's: Cross-Image Attention {}, with true masks {}; img2img {}.",
        tuple(_effect(method, EFFECT[1]) for method in ("ours", "ours, true masks", "img2img")),
    ),
    Claim(
        "Eye-for-an-eye with true masks: colors {}, silhouette {}.",
        tuple(_effect("eye-for-an-eye, true masks", metric) for metric in EFFECT[:2]),
    ),
    Claim(
        "Latent Deviation in 20 steps with true masks: colors {}, silhouette {}.",
        tuple(_effect("fine-grained, 20 steps", metric) for metric in EFFECT[:2]),
    ),
    Claim(
        "Mirror to Match takes {} from the error of Cross-Image Attention's colors, pair by pair, with true masks.",
        (_effect("gained by mirroring: ours, true masks", EFFECT[0]),),
    ),
    Claim(
        "Keypoints found (PCK@0.1) in pocket pairs: DIFT {}, raw pixels {}, chance {}.",
        tuple(
            Cell("matching.csv", (method,), "PCK@0.1")
            for method in ("DIFT, pocket preset", "raw pixels, 3 x 3", "chance")
        ),
    ),
    Claim(
        "Which way round the appearance fits, DIFT's features say rightly of {} of the pocket pairs; PCK@0.1 is then "
        "{} in place of {}.",
        tuple(
            Cell("matching.csv", ("DIFT, pocket preset",), metric)
            for metric in ("mirrored where it should be", "PCK@0.1, mirrored as fits", "PCK@0.1")
        ),
    ),
    Claim(
        "Null-text inversion brings an image back at guidance 7.5 with {} dB, DDIM inversion with {} dB.",
        tuple(Cell("null_text.csv", (f"{method}, guidance 7.5",), "psnr") for method in ("null text", "DDIM")),
    ),
    Claim(
        "pix2pix-zero shows the target in {} (horse to cow), {} (plain to striped) and {} (red to blue) of the scenes.",
        tuple(
            Cell("editing.csv", (f"{edit}: ours",), "success")
            for edit in ("horse to cow", "plain to striped", "red to blue")
        ),
    ),
    Claim("A step of Splice takes {} of the released scheme's time.", (Cell("splice_speed.csv", (RATIO,), "ratio"),)),
    Claim(
        "{} of {} tests that read tensors of the official implementations pass.",
        (Count("parity.csv", "outcome", "passed"), Count("parity.csv")),
    ),
    Claim(
        "A transfer takes {} U-Net evaluations, the reference loop {}; {} of its time.",
        (
            Cell("official_cost.csv", ("our defaults (20 steps), 128 px, 100 steps",), "evaluations"),
            Cell("official_cost.csv", ("reference code, 128 px, 100 steps",), "evaluations"),
            Cell("official_cost.csv", ("our defaults (20 steps) / reference code, 128 px, 100 steps",), "seconds"),
        ),
    ),
    Claim(
        "At 512 px a transfer in few steps takes {} CPU seconds and {} MiB, the reference loop with its whole "
        "attention maps {} and {}.",
        tuple(
            Cell("scaling.csv", ("pixels per side", side, "512"), measure)
            for side in ("ours", "reference code")
            for measure in ("cpu seconds", "peak MiB")
        ),
    ),
    Claim(
        "A grid of 4 x 4 takes {} evaluations, its pairs one by one {}.",
        tuple(Cell("grid.csv", ("4x4", way), "evaluations") for way in ("grid", "one by one")),
    ),
    Claim(
        "Keypoints of PF-WILLOW (PCK@0.1): DINOv2 {}, VGG-16 {}, the same position {}.",
        tuple(
            Cell("real_matching.csv", (method,), "PCK@0.1")
            for method in ("DINOv2, keys of block 10", "VGG-16, end of block 4", "the same position")
        ),
    ),
)
"""Those whose numbers are not there are left out, as most of them are in the quick report."""
