"""Pairs to distil an edit from: the workflow collect_pairs, queued again and again with other texts and other noise.

Imports ComfyUI's modules, so import it after ComfyUI has started.
"""

from __future__ import annotations

from pathlib import Path
from random import Random

import folder_paths
from tqdm import tqdm

from ...developer.client import Graph
from ...developer.gallery.editing import collect_pairs
from ...developer.in_process import Host
from ...developer.transfer_graph import OURS
from ...distillation.pairs import PairFolder
from ...host.runtime.files import pair_folder
from ...pocket.segmenter import segment_parts
from .tasks import Edit

BATCH = 4
STEPS = 12
"""Of both samplings; the workflow has 50, which the pocket model does not need for images of its own."""
OVERLAP = 0.70


def collect_pairs_of(host: Host, edit: Edit, expected: int, folder: Path) -> Path:
    """Queue until there are `expected` pairs of an edit; those of earlier calls count. The folder of the pairs.

    folder: of ComfyUI's output, where Edit-Pair Collector writes. The object's masks are those of the pocket judge
    (pocket/segmenter.py): images that a model has made have no true ones.
    """
    folder_paths.set_output_directory(str(folder))
    name = edit.name.replace(" ", "_")
    collector = host.nodes[OURS + "EditPairCollector"]
    run = len(PairFolder(pair_folder(name)))  # a run adds BATCH pairs at most, so that no earlier call came this far
    with tqdm(total=expected, initial=run, desc=edit.name) as bar:
        while bar.n < expected:
            result = host.run(_graph(edit, run), before=("decode_plain", 0), after=("decode", 0))
            masks = {f"{side}_mask": (segment_parts(getattr(result, side)) > 0).float() for side in ("before", "after")}
            kept = collector.execute(result.before, result.after, name, text="", overlap=OVERLAP, gain=0.0, **masks)
            bar.update(kept.args[1] - bar.n)
            run += 1
    return pair_folder(name)


def _graph(edit: Edit, run: int) -> Graph:
    """The workflow up to its images, with one of the captions that have the source word, drawn by the run."""
    graph = {name: node for name, node in collect_pairs().graph.items() if name != "collect"}
    bank = edit.bank(edit.source)
    changes = {
        "direction": {"source": "\n".join(bank), "target": "\n".join(edit.bank(edit.target)), "sentences": "as pasted"},
        "text_structure": {"text": Random(run).choice(bank)},
        "latent": {"batch_size": BATCH},
        "noise": {"noise_seed": run},
        "sigmas": {"steps": STEPS},
    }
    for name, inputs in changes.items():
        graph[name] = {**graph[name], "inputs": graph[name]["inputs"] | inputs}
    return graph
