"""The workflows that come with the pack, and the blueprint.

The graphs are the ones that the demo and the tests queue, so what a user opens cannot drift from what is tested.
"""

from . import (
    cross_image,
    editing,
    evaluation,
    few_steps,
    field,
    fine_grained,
    flow_edit,
    grid,
    matching,
    own_images,
    published,
    rearrangement,
    simple,
    sizes_and_batches,
    splice,
    transformers,
)
from .blueprint import Blueprint
from .titles import file_name
from .workflow_template import WorkflowTemplate

__all__ = ["Blueprint", "WorkflowTemplate", "blueprints", "file_name", "gallery"]


def gallery() -> dict[str, WorkflowTemplate]:
    """Every workflow by its name in the code; `file_name` has that of its file. The first is the one to try first."""
    return {
        "01_cross_image_attention_pocket": cross_image.on_what_comes_along(),
        "02_cross_image_attention": cross_image.own_checkpoint(),
        "03_two_appearances_with_masks": cross_image.two_appearances(),
        "04_save_and_load_inversion": cross_image.save_and_load(),
        "05_dift_matching": matching.dift_matching(),
        "06_eye_for_an_eye": rearrangement.eye_for_an_eye(),
        "07_eye_for_an_eye_two_objects": rearrangement.two_objects(),
        "08_corrected_match": rearrangement.corrected_match(),
        "09_fine_grained_transfer": fine_grained.fine_grained_transfer(),
        "10_splice": splice.train(),
        "11_splice_apply": splice.apply(),
        "12_vit_feature_inversion": splice.feature_inversion(),
        "13_key_self_similarity": splice.key_self_similarity(),
        "14_pix2pix_zero_real": editing.real_image(),
        "15_pix2pix_zero_synthetic": editing.synthetic_image(),
        "16_collect_pairs": editing.collect_pairs(),
        "17_train_distilled_editor": editing.train_distilled_editor(),
        "18_measure_a_transfer": evaluation.measure_a_transfer(),
        "19_transfer_grid": grid.transfer_grid(),
        "20_mirror_to_match": matching.mirror_to_match(),
        "21_whole_transfer": cross_image.everything(),
        "22_stock_ksampler": cross_image.stock_sampler(),
        "23_wide_appearance": sizes_and_batches.wide_appearance(),
        "24_many_structures": sizes_and_batches.many_structures(),
        "25_few_steps": few_steps.few_steps(),
        "26_transformer": transformers.on_the_pocket_transformer(),
        "27_flux1_krea": published.by_similarity(published.FLUX1),
        "28_flux2_klein": published.found_in_few_steps(published.FLUX2, published.REARRANGEMENT),
        "29_z_image": published.found_in_few_steps(published.Z_IMAGE, published.ATTENTION),
        "30_qwen_image": published.by_similarity(published.QWEN_IMAGE),
        "31_find_object_and_match": field.find_and_match(),
        "32_sdxl": cross_image.own_sdxl_checkpoint(),
        "33_measure_with_weights": evaluation.measure_with_weights(),
        "34_flow_edit": flow_edit.without_inversion(),
        "35_transformer_deviation": transformers.deviating_on_the_pocket_transformer(),
        "36_own_images": own_images.compare_on_own_images(),
    }


def blueprints() -> dict[str, Blueprint]:
    """Every blueprint by the name of its file, which is what a user reads in the node library."""
    return {"Appearance and style transfer (simple)": simple.simple()}
