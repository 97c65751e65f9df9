"""Makes the repository importable as the package `appearance_transfer`, whatever its folder is called, sorts the tests
into tiers by their folder, and offers the real ComfyUI to those that need it.
"""

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from hypothesis import settings
from hypothesis.database import DirectoryBasedExampleDatabase

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = "appearance_transfer"
TIERS = {  # of tests by folder; others: tier0
    "nodes": "tier1",
    "host": "tier2",
    "pretended_gpu": "tier2",
    "server": "tier3",
    "page": "tier4",
    "effect": "tier5",
    "real": "real",
}

if PACKAGE not in sys.modules:
    spec = importlib.util.spec_from_file_location(PACKAGE, ROOT / "__init__.py", submodule_search_locations=[str(ROOT)])
    module = importlib.util.module_from_spec(spec)
    sys.modules[PACKAGE] = module
    spec.loader.exec_module(module)

# No deadline: how long one example takes says more about the machine than about the code.
settings.register_profile(
    "house", deadline=None, database=DirectoryBasedExampleDatabase(ROOT / ".cache" / "hypothesis")
)
settings.load_profile("house")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if not any(mark.name.startswith("tier") for mark in item.iter_markers()):
            folder = item.path.relative_to(ROOT / "tests").parts[0]
            item.add_marker(TIERS.get(folder, "tier0"))


@pytest.fixture(autouse=True)
def same_random_numbers() -> None:
    """Draws without a seed of their own are the same in every run, so that a test does not fail by luck."""
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def archived() -> set[str]:
    """The paths that the registry's archive holds: what git keeps, without what .comfyignore names."""
    if not (ROOT / ".git").exists() or not shutil.which("git"):
        pytest.skip("Only a git checkout says what the archive holds.")
    found = _git_files() - _git_files("--ignored", "--exclude-from=.comfyignore")
    return {path for path in found if (ROOT / path).is_file()}


def _git_files(*options: str) -> set[str]:
    command = ["git", "ls-files", "-z", "--cached", *options]
    return set(subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")) - {""}


@pytest.fixture(scope="session")
def comfyui() -> Path:
    """The folder of ComfyUI that `dev.py setup` chose."""
    from appearance_transfer.developer.installation import current

    installation = current()
    if installation is None:
        pytest.fail("There is no host yet: run `python dev.py setup` first.")
    return installation.host


@pytest.fixture(scope="session")
def host(comfyui: Path, tmp_path_factory: pytest.TempPathFactory):
    """the real ComfyUI in this process, with the pack: `host.nodes[id]`, `host.run(graph, image=("decode",
    0)).image`.
    """
    from appearance_transfer.developer.in_process import Host

    return Host(comfyui, tmp_path_factory.mktemp("host"))


@pytest.fixture(scope="session")
def server(comfyui: Path) -> Iterator:
    """The real server with the pack, one for all tests: `server.queue(graph).outputs`, or `GraphError`.

    Its models are a tiny random ViT in `dino` and a random AlexNet with the heads of LPIPS in `lpips`, nothing else.
    """
    from appearance_transfer.developer.client import Client
    from appearance_transfer.developer.frontend import VARIABLE
    from appearance_transfer.developer.server import running, temporary_home
    from appearance_transfer.tests.evaluation.perceptual_weights import keep_random_lpips
    from appearance_transfer.tests.splice.vits import keep_tiny_vit

    with temporary_home() as home:
        keep_tiny_vit(home / "models" / "dino")
        keep_random_lpips(home / "models" / "lpips")
        page = os.environ.get(VARIABLE)
        with running(comfyui, home, options=["--front-end-root", page] if page else []) as address:
            yield Client(address)
