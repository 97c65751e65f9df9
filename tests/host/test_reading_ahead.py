"""References of coming steps in one forward: the same image and count, fewer forwards, and nothing in vain."""

import pytest
import torch
from appearance_transfer.tests.host import small_world as world
from appearance_transfer.tests.host.cross_image import attend
from appearance_transfer.tests.host.rearranging import rearrange

SAME = 1e-4  # relative, fp32: rows of a forward of another size


@pytest.fixture
def room(monkeypatch):
    """room(count): from now on so many batches of latents fit into one forward."""

    def make(count: int) -> None:
        for user in ("host.transfer.reference_forwards", "host.inversion.ddpm_and_ddim"):
            monkeypatch.setattr(
                f"appearance_transfer.{user}.batches_per_forward",
                lambda model, device, batch, requested, kept_bytes=0: min(requested, count),
            )

    return make


def counted(model):
    clone = model.clone()
    return clone, world.count_evaluations(clone)


@pytest.mark.parametrize("transfer", [attend, rearrange])
@pytest.mark.parametrize("at_once", [2, 99])
def test_the_image_and_the_count_are_the_same(model, structure, appearance, room, transfer, at_once) -> None:
    single, one_by_one = counted(model)
    expected = world.sample(transfer(single, [appearance], structure), structure)
    room(at_once)
    batched, together = counted(model)
    found = world.sample(transfer(batched, [appearance], structure), structure)
    assert world.relative(found, expected) < SAME
    assert together.samples == one_by_one.samples
    assert together.forwards < one_by_one.forwards


def test_references_take_one_forward_each(model, structure, appearance, room) -> None:
    """Of 10 steps 9 read a reference, from the second on: 3 the structure, 6 the appearance."""
    room(99)
    clone, count = counted(model)
    world.sample(attend(clone, [appearance], structure), structure)
    assert (count.samples, count.forwards) == (10 + 9, 10 + 2)


def test_other_sizes_and_several_references(model, structure, appearance, room) -> None:
    wide = world.invert(model, world.latents(4, 1)[..., :8], seed=3)
    plain = world.sample(attend(model, [appearance, wide], structure), structure)
    room(99)
    assert world.relative(world.sample(attend(model, [appearance, wide], structure), structure), plain) < SAME


@pytest.mark.parametrize("sampler", ["euler", "heun", "dpmpp_2m", "dpm_adaptive"])
def test_samplers_with_levels_of_their_own(model, structure, appearance, room, sampler) -> None:
    """Between two levels, where nothing was read ahead, the references run alone; nothing is run in vain."""
    import comfy.samplers

    def sample(on):
        chosen = comfy.samplers.sampler_object(sampler)
        return world.sample(attend(on, [appearance], structure), structure, sampler=chosen)

    single, one_by_one = counted(model)
    expected = sample(single)
    room(99)
    batched, together = counted(model)
    assert world.relative(sample(batched), expected) < SAME
    assert together.samples <= one_by_one.samples


def test_replayed_references_wait_for_their_predictions(model, structure, appearance, room) -> None:
    settings = {"replayed": True}
    plain = world.sample(attend(model, [appearance], structure, **settings), structure)
    room(99)
    assert torch.equal(world.sample(attend(model, [appearance], structure, **settings), structure), plain)


def test_an_inversion_in_one_forward(model, room) -> None:
    one_by_one = world.invert(model, world.latents(3))
    room(99)
    clone, count = counted(model)
    together = world.invert(clone, world.latents(3))
    assert (count.samples, count.forwards) == (10, 1)
    assert torch.equal(together.trajectory, one_by_one.trajectory)
    assert world.relative(together.noise_maps, one_by_one.noise_maps) < 1e-3


class TestRoom:
    """By ComfyUI's own account: what a forward needs, and what is free."""

    class Model:
        """Needs 10 bytes a row, of 100 that are free."""

        def memory_required(self, shape):
            return 10 * shape[0]

        @property
        def current_patcher(self):
            return self

        def get_free_memory(self, device):
            return 100

    @pytest.mark.parametrize(
        ("rows", "requested", "kept", "expected"),
        [(1, 99, 0, 6), (1, 3, 0, 3), (2, 99, 0, 3), (1, 99, 10, 3), (9, 99, 0, 1), (100, 5, 0, 1)],
    )
    def test_as_many_as_fit(self, rows, requested, kept, expected) -> None:
        from appearance_transfer.host.runtime.forward_size import batches_per_forward

        device = torch.device("cuda", 0)
        assert batches_per_forward(self.Model(), device, [rows, 4, 8, 8], requested, kept_bytes=kept) == expected

    def test_one_on_a_cpu(self) -> None:
        from appearance_transfer.host.runtime.forward_size import batches_per_forward

        assert batches_per_forward(self.Model(), torch.device("cpu"), [1, 4, 8, 8], 99) == 1


@pytest.mark.parametrize(
    ("name", "method"), [("Flux.1", "attention"), ("Flux.1", "rearr"), ("Qwen-Image", "attention")]
)
def test_on_transformers(host, room, name, method) -> None:
    """Of four steps the first runs alone; the other three share a forward."""
    from appearance_transfer.tests.host.transformer_family import Family

    family = Family(name)
    single, one_by_one = counted(family.model)
    x, levels = family.structure.trajectory, range(4)
    alone = family.transferred([family.appearance], method=method, model=single)
    expected = family.predictions(alone, x, levels=levels)
    room(99)
    batched, together = counted(family.model)
    read_ahead = family.transferred([family.appearance], method=method, model=batched)
    found = family.predictions(read_ahead, x, levels=levels)
    for (one, _), (other, _) in zip(found, expected, strict=True):
        assert world.relative(one, other) < SAME
    assert together.samples == one_by_one.samples
    assert together.forwards == one_by_one.forwards - 2
