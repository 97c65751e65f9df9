"""What the registry takes: a description that ComfyUI can read, and an archive of what a user needs, and no more."""

import io
import re
import zipfile
from pathlib import Path
from xml.etree import ElementTree

import pytest
from appearance_transfer.developer.paths import PACK_NAME, ROOT
from appearance_transfer.pocket.checkpoint import NETWORKS
from appearance_transfer.tests.nodes.test_schemas import IDS

MIB = 2**20
LARGE = {path.relative_to(ROOT).as_posix() for path in NETWORKS.values()}  # the only files of more than 1 MiB
ICON = ROOT / "docs" / "images" / "icon.svg"


@pytest.fixture(scope="module")
def described(host):
    """pyproject.toml as ComfyUI reads it."""
    from comfy_config.config_parser import extract_node_configuration

    return extract_node_configuration(str(ROOT))


def test_the_host_reads_the_description(described) -> None:
    project = described.project
    assert project.name == PACK_NAME
    assert re.fullmatch(r"\d+\.\d+\.\d+", project.version)
    assert (ROOT / project.license.file).is_file()
    assert project.description.endswith(".")
    assert project.supported_os == ["OS Independent"]
    assert project.supported_accelerators
    for version in (project.supported_comfyui_version, project.supported_comfyui_frontend_version):
        assert re.fullmatch(r">=\d+\.\d+\.\d+", version)  # the registry's own tool drops every other form
    assert described.tool_comfy.display_name == "Appearance Transfer"


def test_the_name_suits_the_registry(described) -> None:
    assert re.fullmatch(r"[a-z][a-z0-9]*(?:[-_.][a-z0-9]+)*", described.project.name)
    assert len(described.project.name) < 100
    assert "comfyui" not in described.project.name


def test_nothing_is_installed() -> None:
    """All that the nodes import comes with ComfyUI."""
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    assert not [line for line in lines if line and not line.startswith("#")]


def test_the_archive_holds_what_people_need(archived) -> None:
    needed = {"__init__.py", "LICENSE", "README.md", "pyproject.toml", "requirements.txt"} | LARGE
    needed |= {f"web/docs/{node}.md" for node in IDS} | {f"web/docs/{node}/zh.md" for node in IDS}
    needed |= {f"locales/{locale}/{name}.json" for locale in ("en", "zh") for name in ("main", "nodeDefs")}
    for pattern in ("workflows/*.json", "workflows/*.jpg", "subgraphs/*.json", "web/docs/images/*.jpg"):
        found = {path.relative_to(ROOT).as_posix() for path in ROOT.glob(pattern)}
        assert found, pattern
        needed |= found
    assert needed <= archived


def test_the_archive_leaves_out_what_only_developers_need(archived) -> None:
    folders = {path.split("/")[0] for path in archived if "/" in path}
    assert not folders & {"tests", "developer", "benchmarks", ".ci"}
    assert not [path for path in archived if path.startswith("pocket/train")]


def test_the_archive_is_no_larger_than_it_must_be(archived) -> None:
    large = {path for path in archived if (ROOT / path).stat().st_size > MIB}
    assert large == LARGE
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in archived:
            archive.write(ROOT / path, path)
    assert packed.tell() < 85 * MIB


def test_the_pocket_world_is_no_larger_than_95_megabytes() -> None:
    assert sum(path.stat().st_size for path in (ROOT / "pocket").glob("*.*")) < 95e6


def test_source_is_readable_on_every_machine(archived) -> None:
    for path in archived:
        if Path(path).suffix in (".py", ".toml", ".js", ".css"):
            (ROOT / path).read_bytes().decode("ascii")


def test_the_icon_is_a_small_square() -> None:
    root = ElementTree.fromstring(ICON.read_text(encoding="ascii"))
    assert root.get("width") == root.get("height") == "400"
    assert ICON.stat().st_size < 50_000
