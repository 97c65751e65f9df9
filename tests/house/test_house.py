"""The rules of the house, held by machines: style, types, the direction of imports, the size of the front door."""

import ast
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PURE = (
    "attention", "inversion", "guidance", "correspondence", "objects", "editing", "splice",
    "distillation", "evaluation", "pocket", "storage", "training", "vit",
)  # fmt: skip
TYPED = (*PURE, "developer")
NAMELESS = {"utils", "util", "common", "misc", "helpers", "tools"}  # a thing without a home is not understood yet


@pytest.fixture(scope="module")
def package_parent(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the pack as the package `appearance_transfer`, as tools need it: the clone may have any name."""
    parent = tmp_path_factory.mktemp("house")
    package = parent / "appearance_transfer"
    package.mkdir()
    shutil.copy(ROOT / "__init__.py", package)
    shutil.copy(ROOT / "pyproject.toml", parent)
    for folder in (*PURE, "nodes", "host", "developer", "benchmarks"):
        for module in (ROOT / folder).rglob("*.py"):
            copy = package / module.relative_to(ROOT)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(module, copy)
    return parent


def run(*words: str | Path, cwd: Path = ROOT) -> None:
    """Run Python with these words; what it says is the message of the failing test."""
    done = subprocess.run([sys.executable, "-P", *words], cwd=cwd, capture_output=True, text=True)
    assert done.returncode == 0, f"\n{done.stdout}{done.stderr}"


def tracked() -> list[Path]:
    """Every file that git keeps or would keep; empty where the tree is no git checkout."""
    if not (ROOT / ".git").exists() or not shutil.which("git"):
        return []
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    return [ROOT / name for name in names if name and (ROOT / name).is_file()]


def modules() -> list[Path]:
    """Every Python module of the pack, its tools and its tests."""
    return [path for path in tracked() if path.suffix == ".py"]


def test_style() -> None:
    run("-m", "ruff", "check", "--output-format", "concise", ".")


def test_types_of_the_pure_folders(package_parent: Path) -> None:
    present = [f"appearance_transfer/{folder}" for folder in TYPED if (ROOT / folder).is_dir()]
    run("-m", "mypy", "--cache-dir", ROOT / ".cache" / "mypy", *present, cwd=package_parent)


def test_arrows_go_one_way(package_parent: Path) -> None:
    lint = "from importlinter.cli import lint_imports; raise SystemExit(lint_imports(no_cache=True, no_logo=True))"
    run("-c", lint, cwd=package_parent)


def test_pure_folders_do_not_know_the_host() -> None:
    """The layers above hold inside the pack; this holds against ComfyUI's own modules, wherever the import stands."""
    of_the_host = r"^\s*(?:from|import)\s+(comfy\w*|nodes|server|execution|folder_paths|node_helpers|latent_preview)\b"
    found = [
        f"{path.relative_to(ROOT)}: {match[0].strip()}"
        for folder in PURE
        for path in sorted((ROOT / folder).rglob("*.py"))
        for match in re.finditer(of_the_host, path.read_text(encoding="utf-8"), re.MULTILINE)
    ]
    assert not found


def test_one_logger_with_one_literal_name() -> None:
    """ComfyUI calls a pack's modules by their paths, so what is logged to `__name__` reaches no handler of ours."""
    found = [
        f"{path.relative_to(ROOT)}: {match[0]}"
        for folder in (*PURE, "nodes", "host", "developer")
        for path in sorted((ROOT / folder).rglob("*.py"))
        for match in re.finditer(r"getLogger\(.*?\)", path.read_text(encoding="utf-8"))
        if match[0] != 'getLogger("appearance_transfer")'
    ]
    assert not found


def test_pure_code_returns_what_it_finds() -> None:
    """And whoever adapts it to ComfyUI says it, on the node."""
    found = [
        str(path.relative_to(ROOT))
        for folder in PURE
        for path in sorted((ROOT / folder).rglob("*.py"))
        if re.search(r"^import (?:logging|warnings)\b", path.read_text(encoding="utf-8"), re.MULTILINE)
    ]
    assert not found


def test_front_door_is_small() -> None:
    assert len((ROOT / "__init__.py").read_text(encoding="utf-8").splitlines()) <= 40


def test_no_module_above_300_lines() -> None:
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in modules()}
    assert not {str(path.relative_to(ROOT)): lines for path, lines in lengths.items() if lines > 300}


def test_every_class_below_150_lines() -> None:
    found = [
        f"{path.relative_to(ROOT)}: {part.name} has {lines} lines"
        for path in modules()
        for part in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(part, ast.ClassDef) and (lines := part.end_lineno - part.lineno + 1) >= 150
    ]
    assert not found


def test_every_file_has_a_home() -> None:
    assert not [str(path.relative_to(ROOT)) for path in tracked() if path.stem.lower() in NAMELESS]


def test_no_file_names_a_machine() -> None:
    """A path of somebody's machine in a committed file works on that machine only."""
    private = re.compile(rb"(?<![\w.:/~$}-])/(?:work|tmp|root|home/\w+|Users/\w+|mnt|opt/wheels)(?:/|\b)[\w./-]*")
    found = [
        f"{path.relative_to(ROOT)}: {match[0].decode()}"
        for path in tracked()
        if path.suffix not in (".safetensors", ".png", ".jpg", ".pt")
        for match in private.finditer(path.read_bytes())
    ]
    assert not found
