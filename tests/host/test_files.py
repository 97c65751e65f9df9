"""Save Inversion and Load Inversion: bit-identical, never outside their folder, and a sentence for every defect."""

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
    from appearance_transfer.host.files import INVERSIONS

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


@pytest.mark.parametrize("name", ["../outside", "a/b", "..", "", "C:\\x", ".hidden", "x" * 200])
def test_names_stay_in_the_folder(host, inversion, name) -> None:
    with pytest.raises(ValueError, match="cannot be used"):
        save(host, inversion, name)
    with pytest.raises(ValueError, match="cannot be used"):
        load(host, name)
    assert "cannot be used" in host.nodes["AppearanceTransfer_LoadInversion"].validate_inputs(name)


def test_a_missing_file(host) -> None:
    with pytest.raises(ValueError, match="Save one with Save Inversion"):
        load(host, "nothing.safetensors")


def test_damaged_and_foreign_files(host, inversion) -> None:
    from dataclasses import replace

    from appearance_transfer.host.files import INVERSIONS
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
