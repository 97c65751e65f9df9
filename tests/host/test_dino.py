"""DINO ViTs in the real ComfyUI: files good and bad, and the nodes that look, compare and invert."""

import os
from pathlib import Path

import pytest
import torch
from appearance_transfer.tests.splice.vits import random_images, random_weights
from safetensors.torch import load_file, save_file


@pytest.fixture(scope="module")
def folder(host) -> Path:
    import folder_paths

    folder = Path(folder_paths.models_dir) / "dino"
    folder.mkdir(parents=True, exist_ok=True)
    save_file(random_weights(), folder / "tiny.safetensors")
    return folder


def run(host, node: str, *arguments, **options):
    """What a node hands on, run as ComfyUI runs it."""
    with torch.inference_mode():
        return host.nodes[f"AppearanceTransfer_{node}"].execute(*arguments, **options).args


def load(host, name: str = "tiny.safetensors", precision: str = "fp32"):
    return run(host, "LoadDINOViT", name, precision)[0]


def image(height: int, width: int, images: int = 1, seed: int = 0) -> torch.Tensor:
    """An IMAGE as a node gets it: made under inference mode, with an alpha channel."""
    with torch.inference_mode():
        return torch.cat(
            [random_images(height, width, images, seed).movedim(1, -1), torch.ones(images, height, width, 1)], -1
        )


class TestFiles:
    def test_what_is_in_the_folder_is_offered_and_nothing_else(self, host, folder) -> None:
        from appearance_transfer.host.vit.dino import dino_files

        (folder / "notes.txt").write_text("mine")
        assert "tiny.safetensors" in dino_files()
        assert "notes.txt" not in dino_files()
        node = host.nodes["AppearanceTransfer_LoadDINOViT"]
        assert node.validate_inputs("tiny.safetensors") is True
        for name in ("gone.safetensors", "notes.txt", "../dino/tiny.safetensors"):
            assert "Put the backbone of DINO" in node.validate_inputs(name)
            with pytest.raises(ValueError, match="Put the backbone of DINO"):
                load(host, name)

    def test_the_official_pth_is_converted_once(self, host, folder) -> None:
        weights = random_weights(seed=1)
        torch.save(weights, folder / "official.pth")
        vit = load(host, "official.pth")
        converted = load_file(folder / "official.safetensors")
        assert all(torch.equal(converted[name], tensor) for name, tensor in weights.items())
        (folder / "official.pth").write_bytes(b"")
        assert load(host, "official.pth").weights == vit.weights == load(host, "official.safetensors").weights
        assert not list(folder.glob(".*"))
        assert load(host).weights != vit.weights

    def test_damaged_and_foreign_files_are_refused(self, host, folder) -> None:
        whole = (folder / "tiny.safetensors").read_bytes()
        (folder / "half.safetensors").write_bytes(whole[: len(whole) // 2])
        save_file({"x": torch.zeros(1)}, folder / "foreign.safetensors")
        torch.save(random_weights(), folder / "half.pth2")
        pickled = (folder / "half.pth2").read_bytes()
        (folder / "torn.pth").write_bytes(pickled[: len(pickled) // 2])
        torch.save({"teacher": random_weights(), "epoch": 100}, folder / "full.pth")
        torch.save({"hook": Path("x")}, folder / "code.pth")
        for name, complaint in {
            "half.safetensors": "damaged, incomplete",
            "foreign.safetensors": "'foreign.safetensors' cannot be used. These weights are no DINO ViT",
            "torn.pth": "damaged, incomplete",
            "full.pth": "more than the weights of one network",
            "code.pth": "holds more than weights",
        }.items():
            with pytest.raises(ValueError, match=complaint):
                load(host, name)
        assert not (folder / "full.safetensors").exists()

    def test_what_would_take_for_ever_is_refused_at_once(self, host, folder, tmp_path) -> None:
        """Links to pipes and devices, a block of a billion, one number that poses as many, a program."""
        os.mkfifo(tmp_path / "pipe")
        (folder / "pipe.pth").symlink_to(tmp_path / "pipe")
        (folder / "pipe.safetensors").symlink_to(tmp_path / "pipe")
        (folder / "zero.pth").symlink_to("/dev/zero")
        weights = random_weights()
        save_file(weights | {"blocks.999999999.ls1.gamma": torch.ones(1)}, folder / "deep.safetensors")
        torch.save(weights | {"cls_token": torch.ones(1).expand(1, 1, 10**9)}, folder / "wide.pth")
        torch.save(weights | {"pos_embed": torch.ones(17).as_strided((1, 17, 128), (1, 1, 0))}, folder / "flat.pth")
        torch.save(weights, folder / "legacy.pth", _use_new_zipfile_serialization=False)
        for name, complaint in {
            "pipe.pth": "is no file, or a link to none",
            "pipe.safetensors": "is no file, or a link to none",
            "zero.pth": "is no file, or a link to none",
            "deep.safetensors": "they have 3 blocks",
            "wide.pth": "reaches beyond its numbers",
            "flat.pth": "reaches beyond its numbers|not stored one after the other",
            "legacy.pth": "older than torch 1.6",
        }.items():
            with pytest.raises(ValueError, match=complaint) as caught:
                load(host, name)
            assert len(str(caught.value)) < 500

    def test_it_is_loaded_again_only_when_the_file_is_another(self, host, folder) -> None:
        save_file(random_weights(seed=1), folder / "changing.safetensors")

        def loaded():
            inputs = {"name": "changing.safetensors", "precision": "fp32"}
            graph = {"vit": {"class_type": "AppearanceTransfer_LoadDINOViT", "inputs": inputs}}
            return host.run(graph, vit=("vit", 0)).vit

        first = loaded()
        assert loaded() is first
        save_file(random_weights(seed=2, depth=1), folder / "changing.safetensors")
        assert loaded().weights != first.weights

    def test_precision(self, host, folder) -> None:
        assert load(host, precision="bf16").on_device().cls_token.dtype == torch.bfloat16
        assert load(host, precision="bf16").weights == load(host).weights


class TestNodes:
    def test_features(self, host, folder) -> None:
        from appearance_transfer.vit.preprocess import vit_input

        vit, pixels = load(host), image(60, 100, 2)
        (features,) = run(host, "DINOFeatures", vit, pixels, "keys", 45, 0, False)
        assert features.grid == (5, 9)  # 45 x 75 pixels in patches of 8
        assert features.image == (60, 100)
        assert features.source["layer"] == "0"
        with torch.inference_mode():
            inputs = vit_input(random_images(60, 100, 2), short=45, long=None, patch=8)
            vit_output = vit.on_device().forward_features(inputs, 0)
        torch.testing.assert_close(features.values, vit_output.on_grid(vit_output.keys), atol=1e-5, rtol=0)
        (last,) = run(host, "DINOFeatures", vit, pixels, "tokens", 45, -1, False)
        assert last.source == {"kind": "DINO", "model": vit.weights, "layer": "1", "facet": "tokens"}

    def test_features_match_themselves(self, host, folder) -> None:
        from appearance_transfer.correspondence.match import match

        (features,) = run(host, "DINOFeatures", load(host), image(64, 64), "keys", 64, -1, False)
        assert torch.equal(match(features, features).best.flatten(), torch.arange(64))

    def test_structure_distance(self, host, folder) -> None:
        one, other = image(64, 80), image(64, 80, 2, seed=1)
        distance, report = run(host, "StructureDistance", load(host), other, one, -1, "default")
        assert distance > 0
        assert len(report.splitlines()) == 3
        assert run(host, "StructureDistance", load(host), one, one, -1, "reference code")[0] == 0

    def test_key_self_similarity(self, host, folder) -> None:
        from appearance_transfer.vit.preprocess import normalize_imagenet, pillow_resized
        from appearance_transfer.vit.principal_components import self_similarity_image

        vit = load(host)
        (colored,) = run(host, "ShowKeySelfSimilarity", vit, image(64, 80, 2), -1)
        assert colored.shape == (2, 224, 280, 3)
        with torch.inference_mode():
            vit_output = vit.on_device().forward_features(normalize_imagenet(pillow_resized(random_images(64, 80, 2))))
        assert ((colored * 255).round() - self_similarity_image(vit_output, 8)).abs().max() <= 1

    @pytest.mark.parametrize(("feature", "precision"), [("keys", "fp32"), ("CLS", "bf16")])
    def test_feature_inversion(self, host, folder, feature, precision) -> None:
        vit, pixels = load(host, precision=precision), image(64, 64)
        options = {"seed": 3, "layer": -1, "learning_rate": 0.01, "preview_every": 2}
        painted, loss = run(host, "InvertViTFeature", vit, pixels, feature, steps=3, **options)
        again, _ = run(host, "InvertViTFeature", vit, pixels, feature, steps=3, **options)
        assert painted.shape == (1, 224, 224, 3)
        assert not painted.requires_grad
        assert 0 < loss < float("inf")
        assert torch.equal(painted, again)
        assert not torch.equal(painted, run(host, "InvertViTFeature", vit, pixels, feature, steps=1, **options)[0])

    def test_an_interrupt_stops_the_inversion(self, host, folder) -> None:
        import comfy.model_management as management

        steps = []

        def stop(value, total, preview, **_) -> None:
            steps.append(value)
            management.interrupt_current_processing(len(steps) == 2)

        import comfy.utils

        before = comfy.utils.PROGRESS_BAR_HOOK
        comfy.utils.set_progress_bar_global_hook(stop)
        try:
            with pytest.raises(management.InterruptProcessingException):
                options = {"seed": 3, "layer": -1, "learning_rate": 0.01, "preview_every": 1}
                run(host, "InvertViTFeature", load(host), image(64, 64), "keys", steps=50, **options)
        finally:
            comfy.utils.set_progress_bar_global_hook(before)
            management.interrupt_current_processing(False)
        assert len(steps) <= 3

    def test_a_layer_that_is_not_there(self, host, folder) -> None:
        with pytest.raises(ValueError, match="choose 0 to 1"):
            run(host, "ShowKeySelfSimilarity", load(host), image(64, 64), 11)
