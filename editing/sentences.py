"""Banks of sentences: many sentences that have nothing in common but a word (pix2pix-zero, arXiv 2302.03027, 3.2).

The paper has a language model write about 1000 of them per word. This grammar does without: words around the word are
drawn at random. Two words get the same surroundings from the same seed, so that in the difference of their banks
everything but the words cancels.
"""

from __future__ import annotations

import random
import re
from typing import Literal

LARGEST = 20_000  # sentences of one bank; far fewer than the grammar has, so that drawing distinct ones is quick

Form = Literal["thing", "style"]
"""What a word names: a thing (or several: "horses"), or the look of a whole image ("an oil painting")."""
FORMS: tuple[Form, ...] = ("thing", "style")
COUNT = 1000
"""Sentences per word, about as many as the paper has."""

IMAGES = ("photo", "image", "photograph", "snapshot", "close-up", "wide shot", "view", "detailed image")
ADJECTIVES = (
    "beautiful", "big", "blurry", "bright", "clean", "colorful", "common", "curious", "dark", "dirty", "elegant",
    "famous", "funny", "large", "little", "lonely", "new", "old", "ordinary", "pretty", "quiet", "rare", "small",
    "strange", "typical", "unusual",
)  # fmt: skip
DOINGS = (
    "facing the camera", "half hidden", "half in the shade", "in focus", "in full view", "in the center",
    "in the distance", "in the foreground", "left alone", "lit by the sun", "lit from behind", "moving slowly",
    "on display", "resting", "seen from above", "seen from behind", "seen from the front", "seen from the side",
    "standing still", "turned away", "waiting", "watched by a child",
)  # fmt: skip
POSITIONS = (
    "at a market", "at dawn", "at night", "at the lake", "behind a fence", "by a river", "by the sea", "in a city",
    "in a field", "in a forest", "in a garden", "in a park", "in a room", "in a village", "in front of a house",
    "in the desert", "in the fog", "in the mountains", "in the rain", "in the snow", "near a bridge", "next to a wall",
    "on a beach", "on a farm", "on a hill", "on a road", "on the grass", "under a blue sky", "under a tree",
)  # fmt: skip
SUBJECTS = (
    "boat", "bridge", "castle", "cat", "church", "dog", "face", "flower", "forest", "garden", "girl", "horse", "house",
    "lake", "man", "mountain", "river", "ship", "street", "tower", "tree", "valley", "village", "woman",
)  # fmt: skip

# {one}: the word with adjective and article, {bare}: without the article. {is}: is or are. Every order names all slots
# that it varies in, so that different draws are different sentences.
THING_ORDERS = (
    "a {image} of {one} {doing} {position}",
    "a {image} of {one} {position}, {doing}",
    "{position}, {doing}: a {image} of {one}",
    "{one} {doing} {position}, a {image}",
    "{position} there {is} {one} {doing}, in this {image}",
    "this {image} shows {one} {position}, {doing}",
    "{one} {is} {doing} {position} in this {image}",
    "{bare} {doing}, {position}, {image}",
)
STYLE_ORDERS = (
    "{one} of a {subject} {position}",
    "{one} that shows a {subject} {position}, {doing}",
    "a {subject} {position}, {one}",
    "{position}, a {subject} {doing}: {one}",
    "a {subject} {doing} {position} as {one}",
    "{bare}, a {subject} {doing} {position}",
)


def build_bank(word: str, count: int = COUNT, *, form: Form = FORMS[0], seed: int = 0) -> list[str]:
    """`count` different sentences around a word or phrase ("horse", "horses", "cat with glasses", "oil painting").

    A plural is recognized by its first noun ("glasses", "people") and gets no article. Deterministic: the same
    arguments make the same bank, and another word of the same form and number gets the same surroundings.

    Raises ValueError for an empty word, for several lines, and for a count outside 1..20000.
    """
    lines = word.split("\n")
    word = " ".join(word.split())
    if not word:
        raise ValueError("There is no word to build sentences from; type one, such as 'horse'.")
    if len(lines) > 1 and any(line.strip() for line in lines[1:]):
        raise ValueError(
            f"There are {len(lines)} lines to build sentences around; type one word or phrase, or set the node to take "
            "the lines as pasted."
        )
    if not 1 <= count <= LARGEST:
        raise ValueError(f"A bank can have 1 to {LARGEST} sentences, not {count}.")
    draw = random.Random(seed)
    bank: dict[str, None] = {}
    while len(bank) < count:
        bank[_sentence(word, form, draw)] = None
    return list(bank)


def _sentence(word: str, form: Form, draw: random.Random) -> str:
    bare = f"{draw.choice(ADJECTIVES)} {word}"
    plural = is_plural(word)
    words = {
        "one": bare if plural else f"{article(bare)} {bare}",
        "bare": bare,
        "is": "are" if plural else "is",
        "image": draw.choice(IMAGES),
        "doing": draw.choice(DOINGS),
        "position": draw.choice(POSITIONS),
        "subject": draw.choice(SUBJECTS),
    }
    return draw.choice(STYLE_ORDERS if form == "style" else THING_ORDERS).format(**words)


def article(phrase: str) -> str:
    """ "a" or "an", by how the phrase begins to sound."""
    silent = re.match(r"(hour|honest|honou?r|heir)", phrase, re.IGNORECASE)
    glide = re.match(r"(u[bcfgkrst][aeiou]|uni(?![dmn])|eu|ewe|once?\b|one\b)", phrase, re.IGNORECASE)
    vowel = re.match(r"[aeiou]", phrase, re.IGNORECASE)
    return "an" if silent or (vowel and not glide) else "a"


IRREGULAR_PLURALS = {"cattle", "children", "feet", "geese", "men", "mice", "oxen", "people", "teeth", "women"}
SINGULAR_IN_S = {"atlas", "bus", "canvas", "christmas", "gas", "lens", "news"}


def is_plural(phrase: str) -> bool:
    """Whether the noun that a phrase is about is a plural: the last word before a preposition ("cats with hats")."""
    noun = re.split(r"\s(?:with|without|of|in|on|at|by|from|wearing|made|like)\s", phrase.lower())[0].split()[-1]
    if noun in IRREGULAR_PLURALS:
        return True
    return noun.endswith("s") and not noun.endswith(("ss", "us", "is")) and noun not in SINGULAR_IN_S


def parse_bank(text: str, side: str) -> list[str]:
    """The sentences of a pasted text or file, one per line; empty lines and the marks of lists are left out.

    side: what the bank is called in the message. Raises ValueError for a text without a sentence.
    """
    lines = [re.sub(r"^\s*(?:\d+[.)]|[-*\u2022])\s+", "", line).strip() for line in text.splitlines()]
    sentences = [line for line in lines if line]
    if not sentences:
        raise ValueError(f"The {side} bank holds no sentence; paste some, one per line.")
    return sentences
