"""What the page asks between two runs: answered as the next run will have it, refused in a sentence otherwise."""

import asyncio
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from appearance_transfer.correspondence.features import Features
from appearance_transfer.correspondence.serialize import match_table
from appearance_transfer.correspondence.warped_grid import warped_grid
from appearance_transfer.objects.outline import outline
from torch.nn.functional import interpolate

OBJECT, FIELD = "/appearance_transfer/object", "/appearance_transfer/field"
SIDE = 96


def smooth(seed: int) -> torch.Tensor:
    """[1, 24, 12, 12]: features that change little from one position to the next."""
    noise = torch.randn(1, 24, 5, 5, generator=torch.Generator().manual_seed(seed))
    return interpolate(noise, size=(12, 12), mode="bicubic")


def image() -> torch.Tensor:
    """[1, 96, 96, 3]: a bright square on dark ground."""
    ground = 0.1 + 0.05 * torch.rand(1, SIDE, SIDE, 3, generator=torch.Generator().manual_seed(1))
    ground[:, 30:70, 24:64] += 0.7
    return ground


class Ready:
    """A node whose output is one of the objects below."""

    INPUT_TYPES = classmethod(lambda cls: {"required": {"which": ("STRING", {})}})
    RETURN_TYPES, FUNCTION, CATEGORY = ("*",), "get", "test"

    objects = {
        "image": image(),
        "structure": Features(smooth(0), (SIDE, SIDE)),
        "appearance": Features(smooth(0).flip(-1) + 0.1 * smooth(1), (SIDE, SIDE)),
    }

    def get(self, which):
        return (self.objects[which],)


@pytest.fixture(scope="module", autouse=True)
def ready(host) -> Iterator[None]:
    host.nodes["TestReadyForPage"] = Ready
    yield
    del host.nodes["TestReadyForPage"]


def run(host, **points: Any):
    """Both nodes with these points; `mask`, `matches` and what the page is told."""
    held = {name: {"class_type": "TestReadyForPage", "inputs": {"which": name}} for name in Ready.objects}
    object_points = {name: points.get(name, "") for name in ("object_points", "background_points")}
    pairs = {name: points.get(name, "") for name in ("structure_points", "appearance_points")}
    find = {"image": ["image", 0], "features": ["structure", 0], "seed": 0, **object_points}
    match = {
        "structure": ["structure", 0], "appearance": ["appearance", 0], "method": points.get("method", "field"),
        "structure_image": ["image", 0], "appearance_image": ["image", 0], "radius": 0.05, "floor": -1.0,
        "temperature": 0.05, "candidates": 8, **pairs,
    }  # fmt: skip
    graph = held | {
        "find": {"class_type": "AppearanceTransfer_FindObject", "inputs": find},
        "match": {"class_type": "AppearanceTransfer_MatchFeatures", "inputs": match},
    }
    host.forget()
    found = host.run(graph, mask=("find", 0), matches=("match", 0))
    found.object = found.outcome.outputs["find"]["found_object"][0]
    found.pairs = found.outcome.outputs["match"]["point_pairs"][0]
    return found


def ask(path: str, question: Any, raw: bytes | None = None) -> tuple[int, dict[str, Any]]:
    """The status and the answer to a question."""
    from appearance_transfer.host.matching.page_routes import page_routes

    async def asked() -> tuple[int, dict[str, Any]]:
        app = web.Application()
        app.add_routes(page_routes())
        async with TestClient(TestServer(app)) as client:
            content = json.dumps(question).encode() if raw is None else raw
            answer = await client.post(path, data=content)
            return answer.status, await answer.json()

    return asyncio.run(asked())


def of_object(found, **points: str) -> dict[str, str]:
    return {"file": found.object["evidence"]["filename"], "object_points": "", "background_points": "", **points}


def of_field(found, **points: Any) -> dict[str, Any]:
    pairs = {"structure_points": "", "appearance_points": "", "radius": 0.05}
    return {"file": found.pairs["field"]["filename"], **pairs, **points}


CLICKS = {"object_points": "40, 50", "background_points": "5, 5; 90, 90"}
PAIRS = {"structure_points": "40, 50", "appearance_points": "20, 30"}


def test_a_click_shows_the_object_of_the_next_run(host) -> None:
    plain, clicked = run(host), run(host, **CLICKS)
    for points, after in (({}, plain), (CLICKS, clicked)):
        status, answer = ask(OBJECT, of_object(plain, **points))
        assert status == 200
        lines = outline(after.mask[0]).flip(-1).flatten(1) * SIDE
        torch.testing.assert_close(torch.tensor(answer["outline"]), lines.float(), atol=0.051, rtol=0)
        assert answer["covers"] == round(100 * float(after.mask.mean()))
        assert 0 <= answer["certainty"] <= 100
    assert clicked.object["evidence"] == plain.object["evidence"], "one file, however often it runs"
    assert (plain.object["width"], plain.object["height"]) == (SIDE, SIDE)


def test_a_dragged_point_shows_the_field_of_the_next_run(host) -> None:
    plain, dragged = run(host), run(host, **PAIRS)
    assert not torch.equal(plain.matches.points(), dragged.matches.points())
    for points, after in (({}, plain), (PAIRS, dragged)):
        status, answer = ask(FIELD, of_field(plain, **points))
        assert status == 200
        assert answer["grid"] == warped_grid(after.matches)
    assert dragged.pairs["field"] == plain.pairs["field"], "one file, however often it runs"
    from folder_paths import get_temp_directory

    table = json.loads((Path(get_temp_directory()) / dragged.pairs["matches"]["filename"]).read_text())
    assert ask(FIELD, of_field(plain, **PAIRS))[1]["matches"] == table
    assert table != match_table(plain.matches)


def test_other_methods_have_no_field_to_bend(host) -> None:
    assert "field" not in run(host, method="nearest").pairs


def test_features_that_are_too_large_are_told_and_not_kept(host, monkeypatch, caplog) -> None:
    from appearance_transfer.host.matching import page_files

    monkeypatch.setattr(page_files, "LARGEST", 1000)
    assert "field" not in run(host).pairs
    assert "does not follow a dragged point" in caplog.text


@pytest.mark.parametrize(
    ("points", "sentence"),
    [
        ({"object_points": "96, 5"}, "lies outside of the image"),
        ({"object_points": "left, 5"}, "is no point"),
        ({"background_points": "1, 1;" * 201}, "more than 200 points"),
        ({"object_points": 3}, "a text .* is needed"),
        ({"file": None}, "a text .* is needed"),
        ({"file": "found_object_" + "0" * 32 + ".safetensors"}, "gone from the temp folder"),
        ({"file": "../output/cat.safetensors"}, "is no name of a file"),
        ({"file": "/etc/passwd"}, "is no name of a file"),
        ({"file": "found_object_" + "0" * 32 + ".safetensors\n"}, "is no name of a file"),
        ({"file": "matched_pair_" + "0" * 32 + ".safetensors"}, "is no name of a file"),
    ],
)
def test_what_the_object_cannot_be_found_by_is_said(host, points, sentence) -> None:
    status, answer = ask(OBJECT, {**of_object(run(host)), **points})
    assert status == 400
    assert set(answer) == {"error"}
    assert re.search(sentence, answer["error"])


@pytest.mark.parametrize(
    ("points", "sentence"),
    [
        ({"structure_points": "5, 5"}, "1 structure point"),
        ({**PAIRS, "appearance_points": "5, 500"}, "lies outside of its image"),
        ({"radius": -1}, "a number from 0 to 1 is needed"),
        ({"radius": float("nan")}, "a number from 0 to 1 is needed"),
    ],
)
def test_what_is_no_pair_is_said(host, points, sentence) -> None:
    status, answer = ask(FIELD, {**of_field(run(host)), **points})
    assert status == 400
    assert sentence in answer["error"]


@pytest.mark.parametrize(
    "raw", [b"", b"{", b"[]", b"{}", b"\xff", b"[" * 50_000, b" " * 100_001, b'{"file": "x"}'], ids=len
)
@pytest.mark.parametrize("path", [OBJECT, FIELD])
def test_what_is_no_question_is_refused(host, path, raw) -> None:
    status, answer = ask(path, None, raw)
    assert status == 400
    assert answer["error"].endswith(".")


def test_a_file_of_another_kind_and_a_link_out_of_the_folder_are_refused(host, tmp_path) -> None:
    from folder_paths import get_temp_directory

    found, temp = run(host), Path(get_temp_directory())
    foreign, link = (f"found_object_{digit * 32}.safetensors" for digit in "ab")
    shutil.copy(temp / found.pairs["field"]["filename"], temp / foreign)
    assert "holds no found object" in ask(OBJECT, {**of_object(found), "file": foreign})[1]["error"]
    shutil.copy(temp / found.object["evidence"]["filename"], tmp_path / "outside.safetensors")
    (temp / link).symlink_to(tmp_path / "outside.safetensors")
    assert "gone" in ask(OBJECT, {**of_object(found), "file": link})[1]["error"]
