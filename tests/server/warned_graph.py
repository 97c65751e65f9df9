"""A quick graph in which two pure functions warn, one of them while a node of ComfyUI runs."""

from appearance_transfer.developer.client import Graph
from appearance_transfer.developer.gallery.parts import node

OURS = "AppearanceTransfer_"
ADAIN, MATCH = "apply", "match"  # the nodes that warn
WARNINGS = {
    ADAIN: "AdaIN: mask has no full pixels, so the whole image is measured instead.",
    MATCH: "Nothing matches in image 1: the masks leave nothing to match there, or floor is higher than every match.",
}
REPORTS = {  # by the node that shows it, as regular expressions
    "iou": r"IoU of masks cut at one half\nimage 0: 0\.\d+",
    "colors": r"Hellinger distance of .*\nimage 0: 0\.\d+",
    "quality": r"PSNR in dB.*\nimage 0: \d+\.\d+\nSSIM.*\nimage 0: 0\.\d+",
    "pck": r"image 0: \d of 1 within .*\n +0: .*\nimage 1: .*(\n.*)*",
    "report": r"Inversion\(ddim, .* 2 steps.*\nimage 0: \d+\.\d+ dB",
    "keep": r"Saved warned_\d+\.safetensors",
}


def warned_graph() -> Graph:
    """Two pocket images, matched in a batch whose second mask is empty, inverted, recolored with an empty mask."""
    graph = {
        "checkpoint": node(OURS + "LoadPocketCheckpoint", network="U-Net 128 px", precision="fp32"),
        "text": node("CLIPTextEncode", text="a photo of an animal", clip=["checkpoint", 1]),
    }
    for name, seed in (("structure", 27), ("appearance", 38)):
        graph[name] = node(OURS + "PocketScene", seed=seed, size=128, species="any", coat="any", view="any")
        graph[f"features_{name}"] = node(
            OURS + "DIFTFeatures", model=["checkpoint", 0], positive=["text", 0], feature_preset="pocket", seed=42,
            timestep=261, up_block=1, block=0, block_facet="tokens", ensemble=1, posterior="sample",
            images_per_forward=8, image=["both" if name == "structure" else name, 0], vae=["checkpoint", 2],
        )  # fmt: skip
    graph |= {
        "both": node("RepeatImageBatch", image=["structure", 0], amount=2),
        "full": node("MaskToImage", mask=["structure", 1]),
        "empty": node("EmptyImage", width=128, height=128, batch_size=1, color=0),
        "masks": node("ImageBatch", image1=["full", 0], image2=["empty", 0]),
        "mask": node("ImageToMask", image=["masks", 0], channel="red"),
        MATCH: node(
            OURS + "MatchFeatures", structure=["features_structure", 0], appearance=["features_appearance", 0],
            method="nearest", floor=-1.0, structure_points="", appearance_points="", radius=0.05, temperature=0.05,
            candidates=8,
            structure_mask=["mask", 0],
        ),
        "pck": node(
            OURS + "PCK", matches=[MATCH, 0], structure_points="64, 64", appearance_points="64, 64", alpha=0.1,
            reference="image",
        ),
        "iou": node(OURS + "MaskIoU", output=["structure", 1], structure=["appearance", 1]),
        "colors": node(OURS + "ColorHistogramDistance", output=["structure", 0], appearance=["appearance", 0]),
        "quality": node(OURS + "ReconstructionQuality", output=["structure", 0], original=["appearance", 0]),
        "encode": node("VAEEncode", pixels=["structure", 0], vae=["checkpoint", 2]),
        "invert": node(
            OURS + "InvertImageDDIM", model=["checkpoint", 0], latent=["encode", 0], positive=["text", 0],
            negative=["text", 0], text="", steps=2, start_at_step=0, cfg=1.0, regularization=False, pair_weight=20.0,
            kl_weight=20.0, rounds=5, seed=42, preset="default", solver="auto",
        ),
        "keep": node(OURS + "SaveInversion", inversion=["invert", 0], filename_prefix="warned"),
        "report": node(
            OURS + "InversionReport", model=["checkpoint", 0], vae=["checkpoint", 2], inversion=["keep", 0]
        ),
        "black": node("SolidMask", value=0.0, width=128, height=128),
        "adain": node(
            OURS + "AdaIN", appearance=["invert", 0], start_percent=0.0, end_percent=1.0, mask=["black", 0]
        ),
        ADAIN: node("LatentApplyOperation", samples=["encode", 0], operation=["adain", 0]),
        "decode": node("VAEDecode", samples=[ADAIN, 0], vae=["checkpoint", 2]),
        "shown": node("PreviewImage", images=["decode", 0]),
    }  # fmt: skip
    return graph
