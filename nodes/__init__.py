"""What people see: one file per family of nodes, and the extension that lists them for the host."""

from comfy_api.latest import ComfyExtension, io

from . import attention, features, inversion, maps, matching, pocket, sampling


class AppearanceTransfer(ComfyExtension):
    """All nodes of the pack."""

    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        families = (pocket, inversion, attention, maps, features, matching, sampling)
        return [node for family in families for node in family.NODES]
