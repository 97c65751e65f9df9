"""Files that another program, an older version or an accident left."""

import json
from collections.abc import Callable
from pathlib import Path

from appearance_transfer.storage.tensor_file import FileFormat
from safetensors import safe_open
from safetensors.torch import load_file, save_file


def rewrite(path: Path, kind: FileFormat, header: Callable | None = None, tensors: Callable | None = None) -> None:
    """Change the header, a dictionary, or the tensors of a record's file, in place."""
    found = load_file(path)
    with safe_open(path, framework="pt") as file:
        words = json.loads(file.metadata()[kind.key])
    if header:
        header(words)
    if tensors:
        tensors(found)
    save_file(found, path, {kind.key: json.dumps(words)})
