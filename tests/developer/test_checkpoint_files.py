"""A wrong checkpoint is named before anything long begins."""

import pytest
from appearance_transfer.developer.checkpoint_files import check_checkpoint
from appearance_transfer.developer.cli_output import CliError
from appearance_transfer.tests.developer.own_checkpoint import WHOLE, written


def test_a_whole_one_is_taken(tmp_path) -> None:
    check_checkpoint(written(tmp_path, *WHOLE))
    (tmp_path / "old.ckpt").write_bytes(b"PK")
    check_checkpoint(str(tmp_path / "old.ckpt"))


@pytest.mark.parametrize(
    ("left_out", "sentence"),
    [(0, "no diffusion network: give a whole"), (1, r"no autoencoder \(VAE\): give"), (2, "no text encoder: give")],
)
def test_a_part_alone_is_named(tmp_path, left_out, sentence) -> None:
    file = written(tmp_path, *(name for index, name in enumerate(WHOLE) if index != left_out))
    with pytest.raises(CliError, match=f"my model.safetensors holds {sentence}"):
        check_checkpoint(file)


def test_a_lora_has_none_of_them(tmp_path) -> None:
    with pytest.raises(CliError, match=r"no diffusion network and no autoencoder \(VAE\) and no text encoder"):
        check_checkpoint(written(tmp_path, "lora_unet_down_blocks_0.lora_up.weight"))


@pytest.mark.parametrize("content", [b"", b"no model", b"<!DOCTYPE html><html>a login page</html>", bytes(16)])
def test_what_is_no_model_is_named(tmp_path, content) -> None:
    file = tmp_path / "my model.safetensors"
    file.write_bytes(content)
    with pytest.raises(CliError, match=r"my model.safetensors is no .safetensors file, or it is damaged"):
        check_checkpoint(file)


def test_a_download_that_was_broken_off_is_named(tmp_path) -> None:
    file = written(tmp_path, *WHOLE)
    file.write_bytes(file.read_bytes()[:-4])
    with pytest.raises(CliError, match="my model.safetensors ends early"):
        check_checkpoint(file)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [("model.gguf", "no checkpoint that ComfyUI lists"), ("model.ckpt", "is empty"), ("gone.ckpt", "There is no")],
)
def test_other_kinds_are_looked_at_from_outside(tmp_path, name, sentence) -> None:
    if name != "gone.ckpt":
        (tmp_path / name).touch()
    with pytest.raises(CliError, match=sentence):
        check_checkpoint(tmp_path / name)
