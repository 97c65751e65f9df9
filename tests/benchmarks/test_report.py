"""The report from results that are there: every section, intervals, where each number comes from, what is missing."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import TextIO

import pytest
from appearance_transfer.benchmarks.report import known_minutes, paragraphs, replace_results, report, write_minutes
from appearance_transfer.benchmarks.reporting import running
from appearance_transfer.benchmarks.reporting.claim_list import CLAIMS
from appearance_transfer.benchmarks.reporting.claims import Cell, Claim, Count, stated
from appearance_transfer.benchmarks.reporting.contents import CONTENTS
from appearance_transfer.benchmarks.reporting.curves import Panel, write_curves
from appearance_transfer.benchmarks.reporting.markdown import by_method, interval, number
from appearance_transfer.benchmarks.reporting.origin import FILE, benchmarks_run, here_and_now, origins
from appearance_transfer.benchmarks.reporting.runs import Runs
from appearance_transfer.benchmarks.reporting.section import ReportImage, Section, Table
from appearance_transfer.benchmarks.reporting.table import write_rows, write_table
from appearance_transfer.developer.paths import ROOT
from appearance_transfer.evaluation.confidence import mean_interval
from PIL import Image

VALUES = {"identity": {"error": [1.0, 1.0]}, "ours": {"error": [0.25, 0.5, 0.75], "overlap": [0.5, 0.5]}}
SECTION = Section("A title", "What it is about.", (Table("sample.csv", "Shown:"),), full=(("sample", "--all"),))


def test_a_benchmark_of_every_run_exists() -> None:
    runs = [words for section in CONTENTS for words in (*section.full, *section.quick)]
    assert not [words[0] for words in runs if not (ROOT / "benchmarks" / f"{words[0]}.py").is_file()]


def test_without_any_results_every_section_says_how_to_get_them(tmp_path: Path) -> None:
    text = report(tmp_path, {}, quick=False)
    for section in CONTENTS:
        assert f"## {section.title}\n" in text
        for words in section.full:
            assert f"`python dev.py bench {' '.join(words)}`" in text


def test_the_head_names_machine_and_versions(tmp_path: Path) -> None:
    here, text = here_and_now(), report(tmp_path, {}, quick=True)
    assert "quick report" in text
    for fact in (here.machine, here.versions, here.commit):
        assert fact in text
    assert "torch 2" in here.versions
    assert "cores" in here.machine


def test_a_table_has_intervals_and_its_run(tmp_path: Path) -> None:
    write_table(tmp_path / "sample.csv", VALUES)
    runs = Runs()
    text = "\n".join(paragraphs(tmp_path, SECTION, {}, runs, quick=False))
    mean, low, high, _ = mean_interval(VALUES["ours"]["error"])
    assert low < mean < high
    assert f"| ours | {mean:.2f} [{low:.2f}, {high:.2f}] | 0.50 | 3, 2 |" in text
    assert "[sample.csv](sample.csv), run [1](#run-1)" in text
    (origin,) = origins(tmp_path / "sample.csv")
    assert runs.listed() == f'1. <a id="run-1"></a>{origin}'


def test_a_whole_report_takes_the_place_of_the_one_before(tmp_path: Path) -> None:
    whole, results = tmp_path / "whole", tmp_path / "results"
    write_table(whole / "new.csv", VALUES)
    write_table(results / "old.csv", VALUES)
    write_table(results / "ablations" / "kept.csv", VALUES)
    replace_results(whole, results)
    assert sorted(path.name for path in results.iterdir()) == sorted([FILE, "ablations", "new.csv"])
    assert origins(results / "new.csv")
    assert origins(results / "ablations" / "kept.csv")


def test_files_of_one_run_have_one_number(tmp_path: Path) -> None:
    write_table(tmp_path / "first.csv", VALUES)
    write_table(tmp_path / "second.csv", VALUES)
    runs = Runs()
    assert runs.behind(tmp_path / "first.csv") == runs.behind(tmp_path / "second.csv") == "run [1](#run-1)"


def test_what_is_wrong_with_a_run_stands_beside_its_table_until_it_is_made_anew(tmp_path: Path) -> None:
    path, wrong = tmp_path / "sample.csv", "Measured with a wrong network."
    write_table(path, VALUES)
    known = json.loads((tmp_path / FILE).read_text(encoding="utf-8"))
    known[path.name][0] |= {"caveat": wrong}
    (tmp_path / FILE).write_text(json.dumps(known), encoding="utf-8")
    assert "\n".join(paragraphs(tmp_path, SECTION, {}, Runs(), quick=False)).count(f"**{wrong}**") == 1
    assert f"**{wrong}** That concerns sample.csv." in report(tmp_path, {}, quick=False)
    write_table(path, VALUES)
    assert wrong not in "\n".join(paragraphs(tmp_path, SECTION, {}, Runs(), quick=False))
    assert wrong not in report(tmp_path, {}, quick=False)


def test_a_table_without_rows_to_show_is_left_out(tmp_path: Path) -> None:
    write_table(tmp_path / "sample.csv", VALUES)
    empty = Section("", "", (Table("sample.csv", "Nobody:", methods=("theirs",)),), full=())
    assert "Nobody" not in "\n".join(paragraphs(tmp_path, empty, {}, Runs(), quick=False))


class TestClaims:
    def test_numbers_are_read_out_of_the_files(self, tmp_path: Path) -> None:
        write_table(tmp_path / "sample.csv", VALUES)
        write_rows(tmp_path / "plain.csv", ("size", "way", "value"), [("1", "grid", "7"), ("1", "single", "9")])
        numbers = (
            Cell("sample.csv", ("identity",), "error"), Cell("plain.csv", ("1", "single"), "value"),
            Count("plain.csv"), Count("plain.csv", "way", "grid"),
        )  # fmt: skip
        assert stated(tmp_path, [Claim("{}, {}, {}, {}", numbers)]) == ["1, 9, 2, 1"]

    def test_without_a_number_there_is_no_sentence(self, tmp_path: Path) -> None:
        write_table(tmp_path / "sample.csv", VALUES)
        missing = (Cell("none.csv", (), "error"), Cell("sample.csv", ("theirs",), "error"), Count("none.csv"))
        assert not stated(tmp_path, [Claim("{}", (number,)) for number in missing])

    def test_every_claim_of_the_report_is_in_it(self) -> None:
        """A row that was renamed would take its sentence out of the report unnoticed."""
        assert len(stated(ROOT / "benchmarks" / "results", CLAIMS)) == len(CLAIMS)


def test_a_run_that_failed_is_a_sentence(tmp_path: Path) -> None:
    text = "\n".join(paragraphs(tmp_path, SECTION, {("sample", "--all"): "there is no weather"}, Runs(), quick=False))
    assert "`python dev.py bench sample --all` did not finish: there is no weather" in text


def test_only_what_is_asked_for_is_shown(tmp_path: Path) -> None:
    write_table(tmp_path / "sample.csv", VALUES)
    displayed = Section("", "", (Table("sample.csv", metrics=("overlap",), methods=("ours",)),), full=())
    text = "\n".join(paragraphs(tmp_path, displayed, {}, Runs(), quick=False))
    assert "| method | overlap | n |" in text
    assert "identity" not in text


def test_images_are_found_by_their_pattern(tmp_path: Path) -> None:
    Image.new("RGB", (4, 4)).save(tmp_path / "some_b.png")
    displayed = Section("", "", (ReportImage("some_*.png", "Look"),), full=())
    text = "\n".join(paragraphs(tmp_path, displayed, {}, Runs(), quick=False))
    assert "![Look](some_b.png)" in text
    assert "nobody noted which command" in text


def test_another_form_of_table_is_shown_as_it_is(tmp_path: Path) -> None:
    write_rows(tmp_path / "sample.csv", ("pair", "value"), [("cows", "0.01234"), ("fruit", "")])
    assert "| cows | 0.012 |\n| fruit | - |" in "\n".join(paragraphs(tmp_path, SECTION, {}, Runs(), quick=False))


@pytest.mark.parametrize(
    ("cell", "displayed"),
    [
        ("808.0000", "808"),
        ("0.5883", "0.59"),
        ("0.0095", "0.0095"),
        ("41.8552", "41.9"),
        ("1541.8", "1542"),
        ("x", "x"),
    ],
)
def test_numbers_have_the_digits_that_a_reader_needs(cell: str, displayed: str) -> None:
    assert number(cell) == displayed


def test_a_method_without_a_metric_has_an_empty_cell() -> None:
    text = by_method([("a", "x", "1", "1", "1", "2"), ("b", "y", "0.5", "0.25", "0.75", "3")])
    assert text.splitlines()[2:] == ["| a | 1 | - | 2 |", "| b | - | 0.50 [0.25, 0.75] | 3 |"]
    assert interval("0.5", "0.5", "0.5") == "0.50"


def test_origins_of_rows_that_stay_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "sample.csv"
    write_table(path, VALUES)
    known = json.loads((tmp_path / FILE).read_text())
    known["sample.csv"][0]["command"] = "python dev.py bench sample"
    (tmp_path / FILE).write_text(json.dumps(known))
    write_table(path, VALUES, rows_stay=True)
    write_table(path, VALUES, rows_stay=True)  # the same command again counts once
    assert [origin.command for origin in origins(path)] == ["python dev.py bench sample", here_and_now().command]
    assert "sample" in benchmarks_run(tmp_path)
    write_table(path, VALUES)
    assert len(origins(path)) == 1


def test_curves_become_an_image_with_its_origin(tmp_path: Path) -> None:
    lines = {"ours": [(256, 1.0), (512, 4.0)], "reference code": [(256, 2.0)]}
    write_curves(tmp_path / "curves.png", "A title", [[Panel("px", "seconds", lines), Panel("px", "MiB", lines, True)]])
    width, height = Image.open(tmp_path / "curves.png").size
    assert width > 2 * height > 0
    assert origins(tmp_path / "curves.png")


class TestRunning:
    def test_benchmarks_run_one_thread_each_and_those_that_measure_time_last(self, monkeypatch) -> None:
        ran = []

        def run(command: list[str], env: dict[str, str], **how: object) -> SimpleNamespace:
            ran.append((" ".join(command[command.index("bench") + 1 :]), env.get("OMP_NUM_THREADS")))
            return SimpleNamespace(returncode=0)

        monkeypatch.setattr(running.subprocess, "run", run)
        monkeypatch.setattr(running.os, "cpu_count", lambda: 2)
        monkeypatch.setattr(running, "has_accelerator", lambda: False)
        monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
        timed = Section("", "", (), full=(("timed",),), timed=True)
        done = running.run_sections([(timed, timed.full), (SECTION, [("one",), ("two",)])], ("--out", "there"))
        assert ran == [("one --out there", "1"), ("two --out there", "1"), ("timed --out there", None)]
        assert [run.words for run in done] == [("one",), ("two",), ("timed",)]
        assert not any(run.failure for run in done)

    def test_the_longest_begin_behind_the_unknown_and_all_are_told_in_one_order(self, monkeypatch, tmp_path) -> None:
        path = tmp_path / "minutes.csv"
        write_minutes(path, [running.Done(("short", "of", "one"), 60.0), running.Done(("long",), 600.0)], 660.0)
        ran = []

        def run(command: list[str], **how: object) -> SimpleNamespace:
            ran.append(command[command.index("bench") + 1])
            return SimpleNamespace(returncode=0)

        monkeypatch.setattr(running.subprocess, "run", run)
        monkeypatch.setattr(running.os, "cpu_count", lambda: 1)
        names = ("short", "of", "one", "more"), ("long",), ("new",)
        running.run_sections([(SECTION, [words]) for words in names], (), known_minutes(path))
        assert ran == ["new", "long", "short"]
        assert known_minutes(tmp_path / "none.csv") == {}

    def test_the_last_words_of_one_that_fails_are_kept(self, monkeypatch) -> None:
        def run(command: list[str], stdout: TextIO, **how: object) -> SimpleNamespace:
            stdout.write("It began.\nIt ended badly.\n\n")
            return SimpleNamespace(returncode=1)

        monkeypatch.setattr(running.subprocess, "run", run)
        (done,) = running.run_sections([(SECTION, SECTION.full)], ())
        assert done.failure == "It ended badly."
