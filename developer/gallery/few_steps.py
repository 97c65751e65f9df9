"""The transfer in four steps, as few-step models (LCM, Lightning, Turbo) need it."""

from ..demo import APPEARANCE_SEED, STRUCTURE_SEED
from ..transfer_graph import Transfer, few_step_graph
from ..ui_layout import Group
from .cross_image import TITLES
from .parts import POCKET_NOTE, pocket_image
from .workflow_template import WorkflowTemplate


def few_steps() -> WorkflowTemplate:
    """The simplest transfer along the levels of a Basic Scheduler, which both images take in place of their steps."""
    graph = few_step_graph(Transfer(pocket_image(STRUCTURE_SEED), pocket_image(APPEARANCE_SEED)))
    groups = [
        Group("1. Checkpoint and images", [["checkpoint", "scheduler"], ["structure", "appearance"]]),
        Group("2. Invert and noise", [["invert_structure", "invert_appearance"]]),
        Group("3. Transfer", [["attention", "sample"], ["decode", "save"]]),
    ]
    note = (
        "# A transfer in four steps\n"
        "For models that are made for few steps: LCM, Lightning, Turbo, Hyper. *Basic Scheduler* gives the levels, and "
        "both images take them from *sigmas* in place of *steps* and *start_at_step*. *denoise* 0.6 is where the "
        "transfer begins: more changes more of the structure. The structure is not connected to *Cross-Image "
        "Attention*, since four steps have none to spare for it: its noise holds the shape.\n\n"
        "On your own checkpoint load its LoRA first, where it has one, keep *cfg* at 1 in *Invert Image* and *Sample "
        "from Inversion*, and take the steps and the scheduler that its author names (LCM and Lightning: sgm_uniform, "
        f"4 to 8 steps; SDXL Turbo: normal, 4 steps).\n\n{POCKET_NOTE}"
    )
    return WorkflowTemplate(graph, groups, note, TITLES)
