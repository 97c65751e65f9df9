"""What the pack logs reaches the node that runs, with the pack loaded as users have it: by its path."""

from appearance_transfer.tests.server.warned_graph import WARNINGS, warned_graph

EVENT = "appearance_transfer.messages"


def test_warnings_of_pure_code_reach_the_node(server) -> None:
    """ComfyUI calls the modules of a pack by their paths, so nobody hears a logger that is called as its module."""
    messages: dict[str, list[dict[str, str]]] = {}

    def watch(kind, data) -> None:
        if kind == EVENT:
            messages[data["node"]] = data["messages"]

    server.queue(warned_graph(), watch)
    warned = {
        name: [message["text"] for message in messages if message["kind"] == "warning"]
        for name, messages in messages.items()
    }
    assert {name: texts for name, texts in warned.items() if texts} == {name: [text] for name, text in WARNINGS.items()}
    assert messages["invert"] == [{"kind": "note", "text": messages["invert"][0]["text"]}]
