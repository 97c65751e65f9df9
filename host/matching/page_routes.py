"""What the page asks between two runs: the object with other clicks, the field with other points.

Both are computed by what the nodes compute them by, from the file of the last run and from what is in the request;
nothing is kept here. An answer is JSON; of what is wrong, {"error": a sentence} with status 400. What computes is
imported with the first question, since this module is while ComfyUI starts.
"""

import asyncio
from collections.abc import Callable
from typing import Any

import torch
from aiohttp import web
from server import PromptServer

from ...correspondence.points import parse_points
from ...storage import bounded_json, fields

OBJECT_ROUTE, FIELD_ROUTE = "/appearance_transfer/object", "/appearance_transfer/field"
LONGEST = 100_000
"""Bytes of a request."""
MOST_POINTS = 200
OBJECT_FIELDS = {"file": fields.text, "object_points": fields.text, "background_points": fields.text}
FIELD_FIELDS = {
    "file": fields.text, "structure_points": fields.text, "appearance_points": fields.text,
    "radius": fields.number(0, 1),
}  # fmt: skip

Answer = dict[str, Any]


def page_routes() -> web.RouteTableDef:
    """Both routes."""
    routes = web.RouteTableDef()
    routes.post(OBJECT_ROUTE)(_handler(OBJECT_FIELDS, found_object))
    routes.post(FIELD_ROUTE)(_handler(FIELD_FIELDS, bent_field))
    return routes


def add_routes() -> None:
    """Let ComfyUI answer the page; called while it loads the packs, before its server takes its routes."""
    server = getattr(PromptServer, "instance", None)  # there is none where graphs run without a server
    if server is not None:
        for route in page_routes():
            server.routes.route(route.method, route.path)(route.handler)


def found_object(asked: Answer) -> Answer:
    """The object with these clicks: `outline`, lines [x1, y1, x2, y2] in pixels of the image, to a tenth; `covers` and
    `certainty` in whole percents. Raises ValueError for a file that is gone and for points that are none.
    """
    from ...objects.outline import outline
    from .object_finding import as_clicks
    from .page_files import object_evidence

    evidence = object_evidence(asked["file"])
    height, width = evidence.image
    found = evidence.find(as_clicks(*_points(asked, "object_points", "background_points"), evidence.image))
    lines = outline(found.mask).flip(-1).double() * torch.tensor([width, height])
    return {
        "outline": [[round(number, 1) for number in line] for line in lines.flatten(1).tolist()],
        "covers": round(100 * float(found.mask.mean())),
        "certainty": round(100 * found.certainty),
    }


def bent_field(asked: Answer) -> Answer:
    """The field with these pairs: `matches`, the table before pairs are forced, and `grid`, what they come to; see
    `match_table` and `warped_grid`. Raises ValueError as `found_object`.
    """
    from ...correspondence.serialize import match_table
    from ...correspondence.warped_grid import warped_grid
    from .page_files import field_evidence

    evidence = field_evidence(asked["file"])
    found, forced = evidence.matches(*_points(asked, "structure_points", "appearance_points"), asked["radius"])
    return {"matches": match_table(found), "grid": warped_grid(forced)}


def _points(asked: Answer, *names: str) -> list[list[tuple[float, float]]]:
    points = [parse_points(asked[name], name) for name in names]
    if any(len(some) > MOST_POINTS for some in points):
        raise ValueError(f"There are more than {MOST_POINTS} points. Remove some, or queue to use them all.")
    return points


def _handler(about: dict[str, fields.Check], answer: Callable[[Answer], Answer]) -> Callable[..., Any]:
    async def handle(request: web.Request) -> web.Response:
        try:
            if request.content_length is None or request.content_length > LONGEST:
                raise ValueError(f"A request may have up to {LONGEST} bytes. Remove some points.")
            return web.json_response(await asyncio.to_thread(_answered, await request.read(), about, answer))
        except ValueError as error:
            return web.json_response({"error": str(error)}, status=400)

    return handle


@torch.inference_mode()
def _answered(content: bytes, about: dict[str, fields.Check], answer: Callable[[Answer], Answer]) -> Answer:
    """In a thread, so that ComfyUI answers others in the meantime."""
    try:
        asked = fields.record(**about)(bounded_json.parse(content, LONGEST))
    except ValueError as error:
        raise ValueError(f"The request cannot be read ({error}). Reload the page.") from error
    return answer(asked)
