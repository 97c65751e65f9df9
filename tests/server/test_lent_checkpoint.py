"""The user's checkpoint is found where it lies, even in the pack's own folder, which ComfyUI must never walk."""

from pathlib import Path

from appearance_transfer.developer import server
from appearance_transfer.developer.client import Client
from appearance_transfer.developer.paths import CACHE
from appearance_transfer.developer.server import lend_checkpoint, running, temporary_home


def test_a_checkpoint_in_a_folder_above_comfyui_s_home(comfyui: Path, monkeypatch) -> None:
    """Its folder holds the home, and the home links to the pack that holds it: a walk would have no end."""
    monkeypatch.setattr(server, "STARTS_WITHIN", 120)
    with temporary_home() as home:
        checkpoint = CACHE / "tmp" / f"{home.name} model.safetensors"
        checkpoint.write_bytes(b"weights")
        try:
            lend_checkpoint(home, str(checkpoint))
            with running(comfyui, home) as address:
                loader = Client(address).get("/object_info/CheckpointLoaderSimple")["CheckpointLoaderSimple"]
        finally:
            checkpoint.unlink()
    listed = loader["input"]["required"]["ckpt_name"][0]
    assert checkpoint.name in listed
    assert not [name for name in listed if "custom_nodes" in name or "pocket" in name]
