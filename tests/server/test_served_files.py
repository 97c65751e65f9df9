"""What the page fetches besides nodes: help, translations, templates and their thumbnails."""

import json
import urllib.error
import urllib.parse
import urllib.request

import pytest
from appearance_transfer.developer.gallery import blueprints, file_name, gallery
from appearance_transfer.developer.paths import PACK_NAME, ROOT
from appearance_transfer.developer.server import LOCAL


def fetch(server, path: str) -> bytes:
    with LOCAL.open(urllib.request.Request(server.address + path), timeout=30) as answer:
        return answer.read()


@pytest.mark.parametrize("locale", ["", "/zh"])
def test_help_is_where_the_page_looks(server, locale) -> None:
    path = f"/docs/AppearanceTransfer_CrossImageAttention{locale}.md"
    assert fetch(server, f"/extensions/{PACK_NAME}{path}") == (ROOT / f"web{path}").read_bytes()


def test_images_of_help_are_where_the_page_looks(server) -> None:
    """It takes a relative address from the folder of all pages, whatever language the page is in."""
    path = "/docs/images/CrossImageAttention.jpg"
    assert fetch(server, f"/extensions/{PACK_NAME}{path}") == (ROOT / f"web{path}").read_bytes()


def test_a_locale_without_a_page_falls_back(server) -> None:
    """The page then asks for the one without a locale; a success that is no help page would hide it."""
    with pytest.raises(urllib.error.HTTPError, match="404"):
        fetch(server, f"/extensions/{PACK_NAME}/docs/AppearanceTransfer_CrossImageAttention/fr.md")


def test_translations_are_merged(server) -> None:
    words = server.get("/i18n")
    node = "AppearanceTransfer_CrossImageAttention"
    assert words["en"]["nodeDefs"][node]["display_name"] == "Cross-Image Attention"
    assert words["zh"]["nodeDefs"][node]["display_name"] == "跨图像注意力"
    assert words["zh"]["nodeCategories"]["appearance transfer"] == "外观迁移"


def test_templates_are_offered(server) -> None:
    assert set(server.get("/workflow_templates")[PACK_NAME]) == set(map(file_name, gallery()))


@pytest.mark.parametrize("name", sorted(map(file_name, gallery())))
def test_a_template_and_its_thumbnail_can_be_opened(server, name) -> None:
    folder = f"/api/workflow_templates/{PACK_NAME}"
    assert (
        fetch(server, f"{folder}/{urllib.parse.quote(name)}.json") == (ROOT / "workflows" / f"{name}.json").read_bytes()
    )
    assert fetch(server, f"{folder}/{urllib.parse.quote(name)}.jpg").startswith(b"\xff\xd8\xff")


def test_blueprints_are_offered_with_their_content(server) -> None:
    listed = server.get("/global_subgraphs")
    ours = {key: about for key, about in listed.items() if about["info"]["node_pack"] == f"custom_nodes.{PACK_NAME}"}
    assert {about["name"] for about in ours.values()} == set(blueprints())
    for key, about in ours.items():
        content = json.loads(server.get(f"/global_subgraphs/{key}")["data"])
        assert content == json.loads((ROOT / "subgraphs" / f"{about['name']}.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("route", ["object", "field"])
def test_the_page_can_ask_for_the_object_and_the_field(server, route) -> None:
    question = urllib.request.Request(f"{server.address}/api/appearance_transfer/{route}", data=b"{}")
    with pytest.raises(urllib.error.HTTPError) as refused, LOCAL.open(question, timeout=30):
        pass
    assert refused.value.code == 400
    assert "lacks 'file'" in json.loads(refused.value.read())["error"]
