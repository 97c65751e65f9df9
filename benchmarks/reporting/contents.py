"""The contents of the report, from the first section to the last."""

from __future__ import annotations

from .claim_list import EFFECT
from .rows import (
    EDITS,
    EFFECT_METHODS,
    LARGE_METHODS,
    OBJECTS,
    ON_TRANSFORMER,
    PCK,
    QUICK_EDITS,
    QUICK_METHODS,
    QUICK_ON_TRANSFORMER,
    QUICK_SETTINGS,
    QUICK_SOURCES,
    SECONDS,
    SETTINGS,
    SOURCES,
    TRANSFORMER,
    TRANSFORMERS,
)
from .section import ReportImage, Section, Table

CONTENTS = (
    Section(
        "Effect: three ways to transfer an appearance",
        "Pairs of pocket scenes that no training has seen (seeds from 900000 on): other species, coats and poses, "
        "every image inverted under its own noun, noise of seed 42. *part_color_error*: how far the color of each "
        "part is from the same part of the appearance, as a share of doing nothing. *silhouette_iou*: with the "
        "structure's true silhouette, as a trained judge sees the output. *background_change*: mean absolute "
        "difference outside of it.",
        (
            Table(
                "effect.csv",
                "Bounds and baselines. The color transfers are ComfyUI's node; *img2img* and *SDEdit* (half of the "
                "noise, stochastic) know the appearance's full caption:",
                EFFECT,
                ("identity", "perfect", "color", "img2img", "SDEdit", "AdaIN", "replay"),
            ),
            Table("effect.csv", "Cross-Image Attention, and with one thing changed at a time:", EFFECT, ("ours",)),
            Table("effect.csv", "Eye-for-an-eye:", EFFECT, ("eye-for-an-eye",)),
            Table("effect.csv", "Latent Deviation (Fine-grained), no text guidance:", EFFECT, ("fine-grained",)),
            Table(
                "effect.csv",
                "What Mirror to Match gains, pair by pair (of part_color_error: how much it falls); most of the pairs "
                "face opposite ways:",
                EFFECT[:2],
                ("gained by mirroring",),
            ),
            Table(
                "effect.csv",
                "Other ways against Cross-Image Attention, pair by pair; above 0 is better than it:",
                EFFECT[:2],
                ("gained over",),
            ),
            ReportImage("effect.png", "The first pairs:"),
            ReportImage("effect_[!2]*.png", "Methods of later runs:"),
        ),
        full=(("effect", "--only", *EFFECT_METHODS),),
        quick=(("effect", "--pairs", "2", "--only", *QUICK_METHODS),),
    ),
    Section(
        "Effect at 256 px",
        "The first 16 of these pairs, by the network for that size.",
        (Table("effect_256.csv", metrics=EFFECT), ReportImage("effect_256.png", "The first pairs:")),
        full=(("effect", "--size", "256", "--pairs", "16", "--only", *LARGE_METHODS),),
    ),
    Section(
        "Effect on a transformer",
        "The same pairs and measures at 256 px on the pocket transformer: 14 of 20 steps or those that are named, "
        "structures inverted and appearances noised, no text guidance, AdaIN, true masks, every step reads the "
        "appearance. *evaluations*: "
        "counted at the transformer, the structure's inversion included; *matching_evaluations*: of the network that "
        "finds matches, and masks where nothing is given. Differences: pair by pair; errors below 0 are better.",
        (
            Table("transformer.csv", "Every method:", TRANSFORMER, TRANSFORMERS),
            Table("transformer.csv", "What each changes:", EFFECT, ("against doing nothing",)),
            Table("transformer.csv", "Against attention by likeness:", EFFECT, ("against by likeness",)),
            ReportImage("transformer.png", "The first pairs:"),
        ),
        full=(("transformer", "--only", *ON_TRANSFORMER),),
        quick=(("transformer", "--pairs", "2", "--only", *QUICK_ON_TRANSFORMER),),
    ),
    Section(
        "The pocket networks: do they know their world?",
        "Scenes that no training has seen (seeds from 700000 on), noise of seed 0. *color*: the share of samples whose "
        "body, as the segmenter sees it, is nearest to the named color; *species*: in which a classifier that was "
        "trained on renderings reads the named species. The network for 256 px was trained from the one for 128 px "
        "on; what that one says of 256 px is what it started from.",
        (
            Table("captions.csv", "Captions obeyed, plain coats, 20 steps at cfg 3:"),
            ReportImage("captions_*.png", "Samples, not chosen:"),
            Table("denoising.csv", "Squared error of the predicted noise by timestep, under the full caption:"),
        ),
        full=(("captions", "--rounds", "1"), ("denoising", "--scenes", "100")),
        quick=(("denoising", "--scenes", "4"),),
    ),
    Section(
        "Matching: which position belongs to which",
        "Keypoints of held-out pocket pairs (seeds from 900000 on) against the renderer's true correspondence: the "
        "share found within 0.1 of the longer side of the animal's box. Without masks, positions compete with the "
        "background.",
        (Table("matching.csv", metrics=PCK),),
        full=(("matching", "--only", *SOURCES),),
        quick=(("matching", "--pairs", "8", "--only", *QUICK_SOURCES),),
    ),
    Section(
        "Matching by the whole field",
        "The same keypoints, features fused, by every method; the appearance or its mirror image, as fits. One draw is "
        "what Cross-Image Attention reads by itself. *said*: the confidence of matches in a fifth of its range, and "
        "how many of them are *right*. *less the field's*, *less the silhouette's*: pair by pair, what a step of the "
        "field brings, and what is found beyond that which the silhouettes alone tell.",
        (
            Table("field.csv"),
            Table("field_reliability.csv", "Confidence of the field:"),
            ReportImage("field_failures.png", "Matched worst, found above and true below:"),
        ),
        full=(("field",),),
        quick=(("field", "--pairs", "4"),),
    ),
    Section(
        "Finding the object",
        "The silhouettes of held-out scenes (seeds from 900000 on): whole, cropped until the animal covers a third of "
        "the border, and two animals in one image, of which the left one is meant. *one click*: where the animal is "
        "thickest. The blocks alone: one of the two that Find Object reads.",
        (
            Table("objects.csv"),
            ReportImage("objects.png", "Found worst, without a click:"),
            ReportImage("objects_two_animals.png", "Found worst of two animals, with a click:"),
        ),
        full=(("objects",),),
        quick=(("objects", "--pairs", "2"),),
    ),
    Section(
        "Null-text inversion: does the image come back?",
        "PSNR in dB against the decoded original, held-out pocket scenes (seeds from 900000 on). *psnr_gained*: over "
        "DDIM inversion at the same guidance, scene by scene.",
        (Table("null_text.csv"),),
        full=(("null_text", "--scenes", "4"),),
        quick=(("null_text", "--scenes", "2", "--steps", "10"),),
    ),
    Section(
        "Inversion of flows: does the image come back without noise maps?",
        "PSNR in dB against the decoded original, tuning scenes (seeds from 800000 on) on the pocket transformer, "
        "guidance 1. *psnr_gained*: over DDIM, scene by scene. *latent_error*: of the latents' standard deviation.",
        (Table("flow_inversion.csv"),),
        full=(("flow_inversion", "--scenes", "8"),),
        quick=(("flow_inversion", "--scenes", "2", "--steps", "4"),),
    ),
    Section(
        "pix2pix-zero: edits by direction, and their distillation",
        "Held-out pocket scenes (seeds from 960000 on), 8 of each of three edits, 25 steps, guidance 3. *success*: "
        "the output shows the target, as a classifier reads it that was trained on renderings, whose own accuracy is "
        "in the last rows; or, for the coat's color, as the mean over the body says. *silhouette_iou*: with the "
        "image's true silhouette. *background_psnr*: in dB against the image, outside of the animal. "
        "*body_color_error*: 0 is the perfect answer, 1 the image as it was. The distilled editor is judged on "
        "pairs that it has not learned from.",
        (
            Table("editing.csv"),
            ReportImage("editing*.png", "The first scenes of every edit:"),
            Table("distil.csv", "The distilled editor, whose pairs are rendered here, as a check of its training:"),
            ReportImage("distil.png", "The distilled editor on held-out pairs:"),
        ),
        full=(("editing", "--scenes", "8", "--only", *EDITS), ("distil", "--steps", "200")),
        quick=(("editing", "--scenes", "2", "--edits", "red to blue", "--only", *QUICK_EDITS),),
    ),
    Section(
        "Splice: a generator for one pair of photographs",
        "A raccoon with the look of a cat. Judged by a DINOv2 ViT-S/14 out of the package registry; 300 steps, a third "
        "of what a good one takes.",
        (
            Table("splice.csv"),
            ReportImage("splice.png", "The pair:"),
        ),
        full=(("splice", "faces", "--steps", "300"),),
    ),
    Section(
        "Parity with the reference code",
        "Every test that reads tensors of the official implementations. *difference*: the largest one of the "
        "test's comparisons, over the largest value. Where the full set of tensors is not beside the repository, only "
        "those committed under tests/golden are compared. A test without a difference compares exactly, or in a way of "
        "its own; *antialiasing is off* compares a difference that is small itself, *sampling with the embeddings* "
        "also looks for one that is large, to the image without them. What each limit is and why: "
        "docs/parity.md.",
        (Table("parity.csv"),),
        full=(("parity",),),
        quick=(("parity", "--only", "operators"),),
    ),
    Section(
        "Effect against cost",
        "The three transfer methods at 4 to 100 steps with the true masks. *evaluations*: counted at the network, the "
        "structure's inversion included. 8 steps and fewer are those of ComfyUI's Basic Scheduler (sgm_uniform, "
        "denoise 0.6), without steps that read the structure. Latent Deviation inverts by DDIM and moves until 0.6 "
        "where there are less than 50 steps. *less the paper's*: pair by pair.",
        (Table("pareto.csv"), ReportImage("pareto.png", "Every setting:")),
        full=(("pareto", "--only", *SETTINGS),),
        quick=(("pareto", "--pairs", "2", "--only", *QUICK_SETTINGS),),
    ),
    Section(
        "Cost: beside the reference loop, in the same run",
        "One pair, from encoded images to the output's latent, inversions included. The reference loop makes the "
        "forwards of the authors' code (with and without text one by one, two passes over three images) and builds "
        "every attention map; its output equals ours with replayed references "
        "(tests/benchmarks/test_official_loop.py). ComfyUI computes attention as on a GPU, by torch's fused kernel. "
        "Memory is above what the loaded model takes, some 20 MiB of it whatever the size; where other work runs on "
        "the machine, CPU seconds say more than seconds. Noise of seeds 0 and 42.",
        (
            Table("official_cost.csv"),
            Table(
                "transfer_seconds.csv",
                "One pair at 256 px on the pocket U-Net and, the others, on the pocket transformer, with inversion, "
                "objects and matches; evaluations of all networks:",
            ),
            Table(
                "edit_cost.csv",
                "pix2pix-zero: one image, inversion included, seed 0:",
            ),
            Table(
                "splice_speed.csv",
                "A step of Splice, in turns with the released scheme of six passes through the ViT, on noise of seed "
                "0:",
            ),
            Table(
                "contrast_memory.csv", "Attention with contrast on N positions, 8 heads of 40 channels, fp32, seed 0:"
            ),
            Table(
                "matching_memory.csv",
                "Matching 4096 with 4096 positions of 1280 channels, seed 0:",
                ("peak extra MiB", "seconds", "times the matrix product"),
            ),
        ),
        full=(
            ("official_cost", "--repeats", "1"),
            ("transfer_seconds", "--repeats", "2", "--only", *SECONDS),
            ("edit_cost", "--repeats", "1"),
            ("splice", "--speed", "15"),
            ("contrast_memory",),
            ("matching_memory",),
        ),
        quick=(
            ("official_cost", "--case", "128 px, 100 steps", "--repeats", "1"),
            ("splice", "--speed", "2"),
            ("contrast_memory", "--repeats", "1", "--tokens", "1024", "4096"),
        ),
        timed=True,
    ),
    Section(
        "Scaling: size, references",
        "One transfer in few steps on the pocket network, so that a CPU can go to 1024 px: what counts is how the "
        "curves rise. The reference loop ends where one attention map of its three images passes 1 GiB: at 768 px it "
        "would take 3.8 GiB, at 1024 px 12 GiB.",
        (ReportImage("scaling.png", "Measured, each point in a process of its own:"), Table("scaling.csv")),
        full=(("scaling", "--sizes", "256", "512", "768"),),
        quick=(("scaling", "--sizes", "128", "256", "--references", "1", "2"),),
        timed=True,
    ),
    Section(
        "Scaling: grids of N structures and M appearances",
        "A grid inverts every image once, where its pairs one by one invert again and again. *promised*: what "
        "benchmarks/costs.py plans. *largest_difference*: of the grid's images (in 0..1) from those of the pairs.",
        (ReportImage("grid.png", "Measured:"), Table("grid.csv")),
        full=(("grid",),),
        quick=(("grid", "--largest", "2", "--steps", "10"),),
        timed=True,
    ),
    Section(
        "Reliability: damaged files, wrong inputs, killed and interrupted runs",
        "Seeded cases, drawn anew with every seed; a failure is a wrong result, an error that is not a sentence, a "
        "hang, memory out of proportion, or something left behind.",
        (Table("reliability.csv"),),
        full=(("reliability", "--count", "200"),),
        quick=(("reliability", "--count", "100"),),
    ),
    Section(
        "Real networks, real photographs",
        "Networks that packages of the registry carry, on the photographs and keypoints of the shared data.",
        (
            Table("real_measures.csv", "What every measure says of photographs that are degraded more and more:"),
            Table("real_orders.csv", "Which of two images it finds nearer:"),
            ReportImage("real*.png", "The photographs, degraded:"),
            Table("real_matching.csv", "Keypoints of PF-WILLOW:", ("PCK@0.05", "PCK@0.1", "PCK@0.15")),
            Table("real_field.csv", "The same by the whole field:", ("PCK@0.05", "PCK@0.1", "PCK@0.15")),
            Table("real_objects.csv", "Objects found in 45 photographs:", OBJECTS),
        ),
        full=(("real",),),
    ),
)  # fmt: skip
