"""Matches of features, with a word to the user where an image has none."""

import logging
from typing import Any

from ...correspondence.correspondence import Correspondence
from ...correspondence.features import Features
from ...correspondence.match import match, unmatched

log = logging.getLogger("appearance_transfer")


def matched(structure: Features, appearance: Features, **settings: Any) -> Correspondence:
    """`match`, which explains the settings and raises what this raises; warns of images in which nothing matches."""
    found = match(structure, appearance, **settings)
    for image in unmatched(found):
        log.warning(
            "Nothing matches in image %d: the masks leave nothing to match there, or floor is higher than every match.",
            image,
        )
    return found
