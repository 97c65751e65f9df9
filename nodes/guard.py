"""Nothing reaches a node unchecked: every node of the pack is registered with this guard before its `execute`."""

import functools
import inspect
from typing import Any

from comfy_api.latest import io

from .files import ReadsFile


def guarded(node: type[io.ComfyNode]) -> type[io.ComfyNode]:
    """The same node, whose inputs are checked by the types of its sockets before it runs; see
    host/runtime/input_checks.py.

    Masks reach it with a batch dimension, whether they came with one or not.

    Raises, when the node is run, ValueError in one sentence that names the input at fault.
    """
    execute = node.execute.__func__
    signature = inspect.signature(execute)
    checks_names_itself = issubclass(node, ReadsFile)

    @functools.wraps(execute)
    def checked(cls, *args: Any, **inputs: Any) -> io.NodeOutput:
        from ..host.runtime.input_checks import check_inputs, check_names, masks_as_batches

        declared = cls.define_schema().inputs  # anew: lists of files change while ComfyUI runs
        check_names(declared, inputs)
        values = _flat(signature, signature.bind(cls, *args, **inputs).arguments)
        check_inputs(declared, values, choices_too=not checks_names_itself)
        return execute(cls, **masks_as_batches(declared, values))

    members = {"execute": classmethod(checked), "__module__": node.__module__, "__doc__": node.__doc__}
    return type(node.__name__, (node,), members)


def _flat(signature: inspect.Signature, values: dict[str, Any]) -> dict[str, Any]:
    """The bound arguments by name, also those that `execute` takes as **keywords; without the class."""
    flat: dict[str, Any] = {}
    for name, value in values.items():
        if signature.parameters[name].kind is inspect.Parameter.VAR_KEYWORD:
            flat |= value
        else:
            flat[name] = value
    flat.pop("cls", None)
    return flat
