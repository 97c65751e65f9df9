"""Save Inversion and Load Inversion: bit-identical, never outside their folder, and a sentence for every defect."""

import errno
import os
import time

import pytest
import torch
from appearance_transfer.tests.host import small_world as world


@pytest.fixture(scope="module")
def inversion(host):
    return world.invert(world.small_model(), world.latents(1))


def save(host, inversion, name):
    return host.nodes["AppearanceTransfer_SaveInversion"].execute(inversion, name)


def load(host, name):
    return host.nodes["AppearanceTransfer_LoadInversion"].execute(name).args[0]


def test_round_trip_is_bit_identical_and_nothing_is_overwritten(host, inversion) -> None:
    from appearance_transfer.host.runtime.files import INVERSIONS

    save(host, inversion, "zebra")
    save(host, inversion, "zebra")
    assert {"zebra_00001.safetensors", "zebra_00002.safetensors"} <= set(INVERSIONS.names())
    loaded = load(host, "zebra_00001.safetensors")
    assert torch.equal(loaded.trajectory, inversion.trajectory)
    assert torch.equal(loaded.noise_maps, inversion.noise_maps)
    assert loaded.schedule == inversion.schedule
    assert loaded.fingerprint == inversion.fingerprint
    assert {key: value.shape for key, value in loaded.conditioning.items()} == dict.fromkeys(
        ("positive", "negative"), (1, 77, 16)
    )
    model = world.small_model()
    assert torch.equal(world.sample(model, loaded), world.sample(model, inversion))


@pytest.mark.parametrize(
    "name",
    ["../outside", "a/../b", "/a", "a//b", "a/", "..", "", "C:\\x", "a\\b", ".hidden", "a/.b", "x" * 200, "%width%"],
)
def test_names_stay_in_the_folder(host, inversion, name) -> None:
    with pytest.raises(ValueError, match="cannot be used"):
        save(host, inversion, name)
    with pytest.raises(ValueError, match="cannot be used"):
        load(host, name)
    assert "cannot be used" in host.nodes["AppearanceTransfer_LoadInversion"].validate_inputs(name)


def test_sub_folders_and_tokens(host, inversion) -> None:
    from appearance_transfer.host.runtime.files import INVERSIONS

    saved = save(host, inversion, "cats/%year%/striped")
    name = f"cats/{time.strftime('%Y')}/striped_00001.safetensors"
    assert saved.ui.as_dict()["text"] == (f"Saved {name}",)
    assert INVERSIONS.names()[0] == name
    node = host.nodes["AppearanceTransfer_LoadInversion"]
    assert name in node.define_schema().inputs[0].options
    assert node.validate_inputs(name) is True
    assert torch.equal(load(host, name).trajectory, inversion.trajectory)
    (INVERSIONS.folder / name).with_name("striped_00007.safetensors").write_bytes(b"of somebody else")
    save(host, inversion, "cats/%year%/striped")
    assert f"cats/{time.strftime('%Y')}/striped_00008.safetensors" in INVERSIONS.names()


def test_a_number_that_another_process_has_taken_meanwhile(host, inversion, monkeypatch) -> None:
    import folder_paths

    real = folder_paths.get_save_image_path

    def slow(prefix, folder):
        found = real(prefix, folder)
        save_at = os.path.join(found[0], f"{found[1]}_{found[2]:05}.safetensors")
        with open(save_at, "xb") as file:
            file.write(b"of another process")
        return found

    monkeypatch.setattr(folder_paths, "get_save_image_path", slow)
    assert save(host, inversion, "crowded/place").ui.as_dict()["text"] == ("Saved crowded/place_00002.safetensors",)


def test_a_sub_folder_that_leads_elsewhere(host, inversion, tmp_path) -> None:
    from appearance_transfer.host.runtime.files import INVERSIONS

    INVERSIONS.folder.mkdir(parents=True, exist_ok=True)
    (INVERSIONS.folder / "away").symlink_to(tmp_path, target_is_directory=True)
    with pytest.raises(ValueError, match="leads out of the folder 'inversions' by a link"):
        save(host, inversion, "away/mine")
    assert not list(tmp_path.iterdir())


def test_a_reference_is_saved_as_well(host) -> None:
    from appearance_transfer.host.inversion.reference import noised_reference
    from appearance_transfer.host.models.schedules import schedule_of

    model, text = world.small_model(), world.prompt(1)
    reference = noised_reference(model, world.latents(1), text, text, schedule_of(model, steps=4), seed=0, prompts=())
    save(host, reference, "noised")
    loaded = load(host, "noised_00001.safetensors")
    assert loaded.method == "noised"
    assert torch.equal(loaded.trajectory, reference.trajectory)


def test_a_missing_file(host) -> None:
    with pytest.raises(ValueError, match="Save one with Save Inversion"):
        load(host, "nothing.safetensors")


def test_damaged_and_foreign_files(host, inversion) -> None:
    from dataclasses import replace

    from appearance_transfer.host.runtime.files import INVERSIONS
    from appearance_transfer.inversion.storage import save as write
    from safetensors.torch import save_file

    folder = INVERSIONS.folder
    (folder / "damaged.safetensors").write_bytes(b"not a file of ours")
    save_file({"x": torch.zeros(1)}, folder / "foreign.safetensors")
    holed = inversion.trajectory.clone()
    holed[0, 0, 0, 0, 0] = float("nan")
    for name in ("damaged", "foreign"):
        with pytest.raises(ValueError):
            load(host, f"{name}.safetensors")
    with pytest.raises(ValueError, match="NaN|finite|infinite"):
        write(replace(inversion, trajectory=holed), folder / "holed.safetensors")
        load(host, "holed.safetensors")


def test_links_out_of_the_folder_are_not_followed(host, inversion, tmp_path) -> None:
    from appearance_transfer.host.runtime.files import INVERSIONS
    from appearance_transfer.inversion.storage import save as write

    write(inversion, tmp_path / "mine.safetensors")
    (INVERSIONS.folder / "elsewhere.safetensors").symlink_to(tmp_path / "mine.safetensors")
    (INVERSIONS.folder / "dangling.safetensors").symlink_to(tmp_path / "none")
    os.mkfifo(INVERSIONS.folder / "pipe.safetensors")
    with pytest.raises(ValueError, match="a link that leads out of the folder 'inversions'"):
        load(host, "elsewhere.safetensors")
    assert not {"dangling.safetensors", "pipe.safetensors"} & set(INVERSIONS.names())
    with pytest.raises(ValueError, match="There is no inversion 'pipe.safetensors'"):
        load(host, "pipe.safetensors")


def full(monkeypatch) -> None:
    """From now on the disk is full."""
    from appearance_transfer.storage import atomic_write as whole_file

    def no_room(descriptor) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(whole_file.os, "fsync", no_room)


def test_a_full_disk_is_a_sentence(host, inversion, monkeypatch) -> None:
    full(monkeypatch)
    with pytest.raises(OSError, match=r"'zebra.safetensors' could not be saved: the disk is full .*queue again\."):
        save(host, inversion, "zebra")


def test_null_text_that_is_interrupted_on_a_full_disk_ends_as_interrupted(host, monkeypatch, caplog) -> None:
    """What cannot be kept is said in the log; it is not what ended the run."""
    import comfy.model_management as management
    from appearance_transfer.nodes.null_text import _keep

    full(monkeypatch)
    ddim = world.invert(world.small_model(), world.latents(1))
    try:
        raise management.InterruptProcessingException
    except management.InterruptProcessingException:
        _keep(ddim)
    assert "are lost: 'unfinished_null_text.safetensors' could not be saved: the disk is full" in caplog.text


def test_a_training_that_is_interrupted_on_a_full_disk_ends_as_interrupted(host, monkeypatch, caplog) -> None:
    import comfy.model_management as management
    from appearance_transfer.host.runtime.files import GENERATORS
    from appearance_transfer.host.runtime.training_loop import CheckpointPolicy, run_training

    class Interrupted:
        steps = 0

        def advance(self):
            self.steps += 1
            management.interrupt_current_processing(True)
            return None

        def output(self):
            raise AssertionError("no previews were asked for")

    full(monkeypatch)
    try:
        with pytest.raises(management.InterruptProcessingException):
            run_training(
                Interrupted(), 5, 0, CheckpointPolicy(GENERATORS, lambda: b"weights", "the reader", "the trainer")
            )
    finally:
        management.interrupt_current_processing(False)
    assert "and its Splice generator is lost: 'unfinished.safetensors' could not be saved" in caplog.text
