"""What each workflow is called.

The page takes title, description and search words of a pack's template from its file name alone. So a file is called
what people read and what they type: "style transfer", "texture", "material" and the names of models are found where
they begin within the first 33 characters, as the page's search has it.
"""

TITLES = {
    "01_cross_image_attention_pocket": "Appearance transfer - start here, no checkpoint needed",
    "02_cross_image_attention": "Appearance and style transfer - your SD1.5 checkpoint",
    "03_two_appearances_with_masks": "Two textures or materials, each inside its mask",
    "04_save_and_load_inversion": "Invert once, save and load the inversion",
    "05_dift_matching": "Match two images - which part is which (DIFT)",
    "06_eye_for_an_eye": "Appearance transfer part by part (Eye-for-an-eye)",
    "07_eye_for_an_eye_two_objects": "Two objects, each takes the look of another",
    "08_corrected_match": "Correct a match by hand, and transfer by it",
    "09_fine_grained_transfer": "Fine-grained appearance transfer",
    "10_splice": "Texture transfer for one pair - train Splice",
    "11_splice_apply": "Apply a trained Splice generator",
    "12_vit_feature_inversion": "What DINO holds of an image - feature inversion",
    "13_key_self_similarity": "Match by DINO - key self-similarity",
    "14_pix2pix_zero_real": "Edit an image by two words (pix2pix-zero)",
    "15_pix2pix_zero_synthetic": "Edit a generated image by two words (pix2pix-zero)",
    "16_collect_pairs": "Collect pairs of an edit for training",
    "17_train_distilled_editor": "Train a fast editor on pairs (distillation)",
    "18_measure_a_transfer": "Measure a transfer - mask IoU, colors, PSNR",
    "19_transfer_grid": "Grid - every appearance on every structure",
    "20_mirror_to_match": "Mirror the reference to match",
    "21_whole_transfer": "Appearance transfer with everything of the paper",
    "22_stock_ksampler": "Appearance transfer in a stock KSampler",
    "23_wide_appearance": "Reference of another size and shape",
    "24_many_structures": "Batch - one appearance on many images",
    "25_few_steps": "Four steps - LCM, Lightning, Turbo",
    "26_transformer": "Appearance transfer on a transformer, no checkpoint needed",
    "27_flux1_krea": "Flux.1 Krea - appearance transfer",
    "28_flux2_klein": "Flux.2 Klein - appearance transfer",
    "29_z_image": "Z-Image - appearance transfer",
    "30_qwen_image": "Qwen-Image - appearance transfer",
    "31_find_object_and_match": "Find the object and match it as a whole",
    "32_sdxl": "SDXL - appearance and style transfer, your checkpoint",
    "33_measure_with_weights": "Measure a transfer by CLIP, LPIPS and VGG",
    "34_flow_edit": "FlowEdit - appearance transfer without inversion",
    "35_transformer_deviation": "Appearance transfer on a transformer, Latent Deviation",
    "36_own_images": "Report on your own images - three ways of transfer",
}


def file_name(workflow: str) -> str:
    """Its file in `workflows/` without ending, which is the title that the page shows: the number, then the title."""
    return f"{workflow[:2]} {TITLES[workflow]}"
