"""What dev.py grid makes of folders, workflows and answers; neither Ray nor a host is needed."""

import argparse
import json
from pathlib import Path

import pytest
from appearance_transfer.developer.cli_output import CliError
from appearance_transfer.developer.grid.command import chosen_servers
from appearance_transfer.developer.grid.manifest import Manifest
from appearance_transfer.developer.grid.overview import write_overview
from appearance_transfer.developer.grid.pairs import GridPair, every_pair, images_in, next_pair
from appearance_transfer.developer.grid.servers import LocalServer, RemoteServer, started
from appearance_transfer.developer.grid.worker import Job, JobResult, Worker
from appearance_transfer.developer.grid.workflow import asked_for, digest, job, own_graph, queueable
from appearance_transfer.developer.installation import Installation
from appearance_transfer.tests.developer.grid_parts import RESULT, FlakyServer, folder
from PIL import Image


@pytest.fixture
def pairs(tmp_path: Path) -> list[GridPair]:
    structures = folder(tmp_path / "my shapes", cat="red", dog="green")
    return every_pair(structures, folder(tmp_path / "looks", fur="blue", moss="white", tin="gray"))


class TestPairs:
    def test_all_appearances_of_the_first_structure_come_first(self, pairs) -> None:
        assert [pair.name for pair in pairs][:4] == ["cat__fur", "cat__moss", "cat__tin", "dog__fur"]
        assert len(pairs) == 6

    def test_images_that_differ_in_their_suffix_alone_keep_it(self, tmp_path) -> None:
        found = folder(tmp_path / "shapes", **{"cat.png": "red", "cat.jpg": "red", "dog": "red"})
        assert [image.name for image in found] == ["cat.jpg", "cat.png", "dog"]

    def test_only_images_count(self, tmp_path) -> None:
        folder(tmp_path / "shapes", cat="red")
        (tmp_path / "shapes" / "notes.txt").write_text("no image")
        (tmp_path / "shapes" / "inside.png").mkdir()
        assert [image.name for image in images_in(str(tmp_path / "shapes"))] == ["cat"]

    def test_results_that_would_be_called_alike_are_refused(self, tmp_path) -> None:
        shapes = folder(tmp_path / "shapes", a="red", a__b="red")
        with pytest.raises(CliError, match="2 pairs would be called a__b__c"):
            every_pair(shapes, folder(tmp_path / "looks", c="red", b__c="red"))

    @pytest.mark.parametrize("exists", [False, True])
    def test_a_folder_without_images_is_named(self, tmp_path, exists) -> None:
        if exists:
            (tmp_path / "none").mkdir()
        with pytest.raises(CliError, match="none"):
            images_in(str(tmp_path / "none"))

    def test_a_server_stays_with_its_structure_and_leaves_those_of_others(self, pairs) -> None:
        cat, dog = pairs[0].structure, pairs[3].structure
        assert next_pair(pairs, dog, [cat, dog]).structure == dog
        assert next_pair(pairs, None, [cat]).structure == dog
        assert next_pair(pairs[:2], dog, [cat]).name == "cat__fur"


class TestManifest:
    def test_what_is_done_stays_done(self, pairs, tmp_path) -> None:
        out = tmp_path / "out"
        first = Manifest(out, "workflow")
        assert first.unfinished(pairs) == pairs
        first.record(pairs[0], RESULT)
        first.record(pairs[1], JobResult([b"one", b"two"], 2.0))
        first.record(pairs[2], JobResult([], 0.5, "It is no image."))
        again = Manifest(out, "workflow")
        assert again.unfinished(pairs) == pairs[2:]
        assert again.failed(pairs) == {"cat__tin": "It is no image."}
        assert (out / "cat__fur.png").read_bytes() == b"png"
        assert [file.name for file in again.files(pairs[1])] == ["cat__moss.png", "cat__moss_2.png"]
        assert {path.name for path in out.iterdir()} == {
            "manifest.json", "cat__fur.png", "cat__moss.png", "cat__moss_2.png",
        }  # fmt: skip

    def test_an_image_that_has_changed_or_a_result_that_is_gone_is_made_again(self, pairs, tmp_path) -> None:
        manifest = Manifest(tmp_path / "out", "workflow")
        for pair in pairs:
            manifest.record(pair, RESULT)
        (tmp_path / "out" / "cat__tin.png").unlink()
        Image.new("RGB", (8, 8), "pink").save(pairs[3].structure.path)
        shapes, appearances = (images_in(str(side.path.parent)) for side in (pairs[0].structure, pairs[0].appearance))
        left = Manifest(tmp_path / "out", "workflow").unfinished(every_pair(shapes, appearances))
        assert [pair.name for pair in left] == ["cat__tin", "dog__fur", "dog__moss", "dog__tin"]

    def test_another_workflow_and_a_foreign_file_are_refused(self, pairs, tmp_path) -> None:
        Manifest(tmp_path / "out", "one").record(pairs[0], RESULT)
        with pytest.raises(CliError, match="another workflow"):
            Manifest(tmp_path / "out", "two")
        (tmp_path / "out" / "manifest.json").write_text('{"pairs": 3}')
        with pytest.raises(CliError, match="no manifest"):
            Manifest(tmp_path / "out", "one")


class TestWorker:
    @pytest.mark.parametrize("content", [b"", b"no image"])
    def test_a_bad_image_fails_its_pair_by_its_own_name(self, tmp_path, content) -> None:
        """Nothing is sent: there is no ComfyUI at this address."""
        image = tmp_path / "my torn horse.png"
        image.write_bytes(content)
        answer = Worker().make("http://127.0.0.1:1", Job({}, {"grid_0123.png": str(image)}))
        assert answer.failure.startswith(f"{image} is no image that can be read")
        assert not answer.lost

    def test_an_image_that_is_gone_fails_its_pair(self, tmp_path) -> None:
        answer = Worker().make("http://127.0.0.1:1", Job({}, {"grid_0123.png": str(tmp_path / "gone.png")}))
        assert answer.failure == f"There is no image {tmp_path / 'gone.png'}."


class TestWorkflow:
    def options(self, **changes: str) -> argparse.Namespace:
        return argparse.Namespace(**{"workflow": None, "noun": None, "checkpoint": None} | changes)

    def test_ours_shows_nothing_on_the_way(self) -> None:
        graph = own_graph("dog", "folder/own.safetensors")
        outputs = {node["class_type"] for node in graph.values()} & {"PreviewImage", "SaveImage"}
        assert outputs == {"SaveImage"}
        links = [value for node in graph.values() for value in node["inputs"].values() if isinstance(value, list)]
        assert {origin for origin, _ in links} < graph.keys()

    def test_the_images_of_a_pair_go_into_their_nodes(self, pairs) -> None:
        graph = own_graph("dog", None)
        queued = job(graph, pairs[1])
        structure, appearance = (
            queued.graph[f"load_{role}"]["inputs"]["image"] for role in ("structure", "appearance")
        )
        assert queued.images == {structure: str(pairs[1].structure.path), appearance: str(pairs[1].appearance.path)}
        assert graph["load_structure"]["inputs"]["image"] == "structure.png"
        assert job(graph, pairs[2]).graph["load_structure"] == queued.graph["load_structure"]

    def test_another_noun_is_another_workflow(self, tmp_path) -> None:
        default = asked_for(self.options())
        assert digest(default) == digest(asked_for(self.options()))
        assert digest(default) != digest(asked_for(self.options(noun="dog")))
        (tmp_path / "own.json").write_text(json.dumps(default))
        assert digest(asked_for(self.options(workflow=str(tmp_path / "own.json")))) == digest(default)

    @pytest.mark.parametrize(
        ("missing", "sentence"),
        [("load_structure", "no image called structure"), ("save", "saves no image")],
    )
    def test_what_a_grid_needs_is_named(self, missing, sentence) -> None:
        graph = own_graph("dog", None)
        known = {node["class_type"]: {} for node in graph.values()}
        assert queueable(graph, known) == graph
        del graph[missing]
        with pytest.raises(CliError, match=sentence):
            queueable(graph, known)

    def test_nodes_that_are_not_there_are_named(self) -> None:
        with pytest.raises(CliError, match="no node .*CLIPTextEncode, .*VAEEncode"):
            queueable(own_graph("dog", None), {})

    def test_what_only_the_page_can_read_is_asked_for_in_the_other_form(self) -> None:
        reroute = {"id": 1, "type": "Reroute", "mode": 0, "inputs": [], "widgets_values": []}
        with pytest.raises(CliError, match="API"):
            queueable({"nodes": [reroute], "links": []}, {})

    def test_a_file_that_is_no_workflow_is_named(self, tmp_path) -> None:
        with pytest.raises(CliError, match="no workflow .*missing.json"):
            asked_for(self.options(workflow="missing.json"))
        (tmp_path / "torn.json").write_text("{")
        with pytest.raises(CliError, match="torn.json is no workflow"):
            asked_for(self.options(workflow=str(tmp_path / "torn.json")))


class TestServers:
    def options(self, **changes: object) -> argparse.Namespace:
        return argparse.Namespace(**{"servers": None, "workers": 1, "checkpoint": None} | changes)

    def test_as_many_of_our_own_as_workers(self) -> None:
        servers = chosen_servers(self.options(workers=3), Installation("host", None, ""))
        assert [type(server) for server in servers] == [LocalServer] * 3

    def test_those_that_are_named(self) -> None:
        options = self.options(servers="http://one:8188/, http://two:8188", checkpoint="theirs.safetensors")
        assert [server.address for server in chosen_servers(options, Installation("host", None, ""))] == [
            "http://one:8188",
            "http://two:8188",
        ]

    @pytest.mark.parametrize(
        ("changes", "sentence"),
        [
            ({"workers": 0}, "--workers must be 1 or more"),
            ({"checkpoint": "missing.ckpt"}, "no checkpoint missing.ckpt"),
        ],
    )
    def test_what_cannot_be_is_one_sentence(self, changes, sentence) -> None:
        with pytest.raises(CliError, match=sentence):
            chosen_servers(self.options(**changes), Installation("host", None, ""))

    def test_one_that_does_not_answer_is_named_and_the_others_are_stopped(self) -> None:
        stopped = []
        working = FlakyServer("http://one")
        working.stop = lambda: stopped.append(working)
        both = started([working, RemoteServer("http://127.0.0.1:9")])
        with pytest.raises(CliError, match="No ComfyUI answers at http://127.0.0.1:9"), both:
            pass
        assert stopped == [working]


def test_the_overview_shows_every_pair_where_its_images_meet(pairs, tmp_path) -> None:
    structures, appearances = [pairs[0].structure, pairs[3].structure], [pair.appearance for pair in pairs[:3]]
    results: list[Path | None] = [None] * 6
    results[4] = tmp_path / "result.png"
    Image.new("RGB", (8, 8), "yellow").save(results[4])
    (tmp_path / "torn.png").write_bytes(b"no image")
    results[5] = tmp_path / "torn.png"
    write_overview(tmp_path / "grid.png", structures, appearances, results)
    sheet = Image.open(tmp_path / "grid.png")
    across, down = sheet.width // 4, (sheet.height - 40) // 3
    seen = [[sheet.getpixel((c * across + 99, 40 + r * down + 99)) for c in range(4)] for r in range(3)]
    gray = (211, 211, 211)
    assert seen[0] == [(255, 255, 255), (0, 0, 255), (255, 255, 255), (128, 128, 128)]
    assert seen[1] == [(255, 0, 0), gray, gray, gray]
    assert seen[2] == [(0, 128, 0), gray, (255, 255, 0), gray]
