"""Sentence banks: enough of them, in English, the same for two words but for the words, and what may be pasted."""

from __future__ import annotations

import re

import pytest
from appearance_transfer.editing.sentences import LARGEST, article, build_bank, is_plural, parse_bank


@pytest.mark.parametrize(("word", "form"), [("horse", "thing"), ("horses", "thing"), ("oil painting", "style")])
def test_a_thousand_different_sentences_with_the_word(word, form) -> None:
    bank = build_bank(word, form=form)
    assert len(bank) == len(set(bank)) == 1000
    assert all(re.search(rf"\b{word}\b", sentence) for sentence in bank)


def test_the_grammar_is_far_larger_than_the_largest_bank() -> None:
    assert len(set(build_bank("horse", LARGEST))) == LARGEST


def test_two_words_stand_in_the_same_surroundings() -> None:
    pairs = zip(build_bank("horse", seed=3), build_bank("cat with glasses", seed=3), strict=True)
    assert all(first.replace("horse", "cat with glasses") == second for first, second in pairs)


def test_the_seed_says_which_sentences() -> None:
    assert build_bank("horse", 50, seed=1) == build_bank("horse", 50, seed=1)
    assert set(build_bank("horse", 50, seed=1)) != set(build_bank("horse", 50, seed=2))


def test_one_has_an_article_and_many_have_none() -> None:
    one, many = (" ".join(build_bank(word)) for word in ("umbrella", "umbrellas"))
    assert re.search(r"\ba (big|new|small) umbrella\b", one)
    assert re.search(r"\ban (old|unusual|elegant) umbrella\b", one)
    assert not re.search(r"\ban (big|beautiful|new)\b", one)
    assert not re.search(r"\ba (old|unusual|elegant|ordinary)\b", one)
    assert "is" in one.split() and "are" not in one.split()
    assert not re.search(r"\ban? \w+ umbrellas\b", many)
    assert "are" in many.split() and "is" not in many.split()


@pytest.mark.parametrize(
    ("phrase", "expected"),
    [("horse", "a"), ("old man", "an"), ("hour", "an"), ("honest face", "an"), ("unicorn", "a"), ("unusual cat", "an"),
     ("umbrella", "an"), ("useful tool", "a"), ("ukulele", "a"), ("one-eyed cat", "a"), ("European city", "a"),
     ("Owl", "an"), ("house", "a")],
)  # fmt: skip
def test_articles(phrase, expected) -> None:
    assert article(phrase) == expected


@pytest.mark.parametrize(
    ("phrase", "plural"),
    [("horse", False), ("horses", True), ("glasses", True), ("cat with glasses", False), ("cats in a hat", True),
     ("people", True), ("old women", True), ("bus", False), ("grass", False), ("octopus", False),
     ("pair of socks", False)],
)  # fmt: skip
def test_plurals(phrase, plural) -> None:
    assert is_plural(phrase) == plural


def test_braces_in_a_word_are_letters() -> None:
    assert all("{one}" in sentence for sentence in build_bank("{one}", 20))


def test_pasted_lists_lose_their_marks() -> None:
    text = "1. a cat on a mat\n\n  2) two cats\n- a cat, 3 mice\n* (a cat:1.2)\n3 cats\r\n"
    assert parse_bank(text, "source") == ["a cat on a mat", "two cats", "a cat, 3 mice", "(a cat:1.2)", "3 cats"]


@pytest.mark.parametrize("text", ["", "  \n\n \t"])
def test_an_empty_bank_is_refused(text) -> None:
    with pytest.raises(ValueError, match="The target bank holds no sentence"):
        parse_bank(text, "target")


@pytest.mark.parametrize(
    ("word", "count", "sentence"),
    [(" ", 10, "no word"), ("cat", 0, "1 to 20000"), ("cat", LARGEST + 1, "1 to 20000"),
     ("a cat\na dog", 10, "2 lines")],
)  # fmt: skip
def test_banks_that_cannot_be_built(word, count, sentence) -> None:
    with pytest.raises(ValueError, match=sentence):
        build_bank(word, count)
