"""The archive that the registry would hand out is a whole pack: ComfyUI loads it and offers all that ours does."""

import shutil

import pytest
from appearance_transfer.developer.client import Client
from appearance_transfer.developer.gallery import blueprints, file_name, gallery
from appearance_transfer.developer.paths import PACK_NAME, ROOT
from appearance_transfer.developer.server import running, temporary_home
from appearance_transfer.tests.nodes.test_schemas import IDS
from appearance_transfer.tests.server.test_workflows import committed, images, is_an_image


@pytest.fixture(scope="module")
def unpacked(comfyui, archived, tmp_path_factory):
    """A host with the archive as its only pack."""
    folder = tmp_path_factory.mktemp("archive") / PACK_NAME
    for path in archived:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, folder / path)
    with temporary_home() as home, running(comfyui, home, packs={PACK_NAME: folder}) as address:
        yield Client(address)


def test_it_offers_every_node_workflow_and_blueprint(unpacked) -> None:
    assert unpacked.get("/object_info").keys() >= IDS
    assert set(unpacked.get("/workflow_templates")[PACK_NAME]) == set(map(file_name, gallery()))
    listed = {about["name"] for about in unpacked.get("/global_subgraphs").values()}
    assert listed >= set(blueprints())


def test_its_first_workflow_finishes(unpacked) -> None:
    (image,) = images(unpacked, committed(min(gallery()), unpacked.get("/object_info"))).values()
    assert is_an_image(image)
