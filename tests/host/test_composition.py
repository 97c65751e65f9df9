"""The transfer beside other nodes: docs/composition.md is what these tests find (`dev.py bench composition`)."""

import logging
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import pytest
import torch
from appearance_transfer.benchmarks.composition import DOCUMENT, HEADS, document, line
from appearance_transfer.tests.host import small_world as world
from appearance_transfer.tests.host.neighbors import Neighbor, ask, neighbors

EFFECT = 1e-3  # relative: rounding is at 1e-5
ORDERS = ("before", "after")
GUIDERS = {
    "Basic Guider": lambda nodes, model, positive, negative: ask(nodes, "BasicGuider", model, positive),
    "CFG Guider": lambda nodes, model, positive, negative: ask(nodes, "CFGGuider", model, positive, negative, 2.0),
    "Appearance Guider": lambda nodes, model, positive, negative: ask(
        nodes, "AppearanceTransfer_AppearanceGuider", model, positive, 2.0, 1.0, 1.5, 1, 0.0, 1.0
    ),
    "Appearance Guider with text guidance": lambda nodes, model, positive, negative: ask(
        nodes, "AppearanceTransfer_AppearanceGuider", model, positive, 2.0, 2.0, 1.5, 1, 0.0, 1.0, negative
    ),
    "Dual CFG Guider": lambda nodes, model, positive, negative: ask(
        nodes, "DualCFGGuider", model, positive, world.prompt(3), negative, 2.0, 3.0, "regular"
    ),
    "Perp-Neg Guider": lambda nodes, model, positive, negative: ask(
        nodes, "PerpNegGuider", model, positive, negative, world.prompt(4), 2.0, 1.0
    ),
}


@dataclass(frozen=True, eq=False)
class World:
    """A model, and what was inverted with it."""

    nodes: dict[str, type]
    model: Any
    structure: Any
    appearance: Any

    def attend(self, model: Any) -> Any:
        from appearance_transfer.host.transfer.cross_image_attention import Appearance, transfer_appearance

        return transfer_appearance(model, [Appearance(self.appearance)], None, world.transfer_settings())

    def sampled(self, guider: str, neighbor: Neighbor, order: str | None) -> torch.Tensor:
        """order: of the neighbor and the transfer, None is without the transfer."""
        model = self.model
        if neighbor.on_model is not None and order == "before":
            model = neighbor.on_model(self.nodes, model)
        if order is not None:
            model = self.attend(model)
        if neighbor.on_model is not None and order != "before":
            model = neighbor.on_model(self.nodes, model)
        texts = [world.prompt(1), world.prompt(2)]
        if neighbor.on_texts is not None:
            texts = [neighbor.on_texts(self.nodes, text) for text in texts]
        mask = neighbor.noise_mask
        return world.sample(
            model,
            self.structure,
            guider=GUIDERS[guider](self.nodes, model, *texts),
            noise_mask=None if mask is None else mask[:, None],
        )

    @cache  # noqa: B019 (as long as the tests of this file)
    def transferred(self, guider: str, noise_mask: torch.Tensor | None) -> torch.Tensor:
        """By the transfer alone."""
        return self.sampled(guider, replace(NOBODY, noise_mask=noise_mask), "after")


NOBODY = Neighbor("nobody")


@pytest.fixture(scope="module")
def runs(host) -> World:
    from appearance_transfer.host.models.schedules import schedule_of

    model = world.small_model()
    schedule = schedule_of(model, steps=8, start_at=2)
    structure, appearance = (world.invert(model, world.latents(seed), schedule=schedule) for seed in (1, 2))
    return World(host.nodes, model, structure, appearance)


@pytest.mark.parametrize("neighbor", neighbors(), ids=lambda neighbor: neighbor.name)
def test_a_neighbor(runs, neighbor, caplog, record_property) -> None:
    """Before and after the transfer it does what it does alone, and the transfer what it does alone; or a sentence."""
    cells = [neighbor.name, neighbor.position]
    for guider in ("CFG Guider", "Appearance Guider"):
        orders = ORDERS if neighbor.on_model is not None else ORDERS[1:]
        found = {order: outcome(runs, guider, neighbor, order, caplog) for order in orders}
        alike = len(set(found.values())) == 1
        cells.append(found["after"] if alike else "; ".join(f"{order} it: {found[order]}" for order in orders))
    record_property("composition", cells)
    assert line(cells) in DOCUMENT.read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize("guider", GUIDERS)
def test_a_guider(runs, guider, caplog, record_property) -> None:
    cells = [guider, "GUIDER", outcome(runs, guider, NOBODY, "after", caplog), ""]
    record_property("composition", cells)
    assert line(cells) in DOCUMENT.read_text(encoding="utf-8").splitlines()


def test_the_table_holds_nothing_else() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    rows = [row for row in text.splitlines() if row.startswith("| ")][1:]
    assert text == document(rows)
    assert len(rows) == len(neighbors()) + len(GUIDERS)
    assert len(HEADS) == len(rows[0].split(" | "))


def outcome(runs: World, guider: str, neighbor: Neighbor, order: str, caplog: pytest.LogCaptureFixture) -> str:
    """What came of both together, in the words of the table."""
    alone = runs.sampled(guider, neighbor, None)
    caplog.clear()
    try:
        both = runs.sampled(guider, neighbor, order)
    except ValueError as refusal:
        return f"refused: {refusal}"
    ours = [record for record in caplog.records if record.name == "appearance_transfer"]
    warnings = " ".join(dict.fromkeys(record.getMessage() for record in ours if record.levelno >= logging.WARNING))
    if not world.relative(both, alone) > EFFECT:
        assert warnings, "The transfer is silently without effect."
        return f"no transfer: {warnings}"
    if neighbor is not NOBODY:
        assert world.relative(both, runs.transferred(guider, neighbor.noise_mask)) > EFFECT, (
            "The neighbor is without effect."
        )
    return f"works, but: {warnings}" if warnings else "works"
