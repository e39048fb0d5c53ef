"""How alike two phrasings are: words, masks, shared words and shared frames."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kbench.generator.wording import MASK, frames_of_text, mask, shared_words, words_of

WORDS = st.lists(st.sampled_from([MASK, "who", "is", "the", "of", "s", "rank", "city", "Bodan"]), max_size=9)
TEXTS = WORDS.map(" ".join)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("What is Bodan's rank?", ["what", "is", "bodan", "s", "rank"]),
        (f"{MASK}'s rank, {MASK}!", [MASK, "s", "rank", MASK]),
        ("A self-made man_of 1,200", ["a", "self", "made", "man", "of", "1", "200"]),
        ("Straße STRASSE", ["strasse", "strasse"]),
        ("  … — ?", []),
    ],
)
def test_the_words_of_a_text_are_its_runs_of_letters_and_digits_in_one_case(text: str, words: list[str]) -> None:
    assert words_of(text) == words


@pytest.mark.parametrize(
    ("text", "hidden", "masked"),
    [
        ("Who is Bodan?", ["Bodan"], f"Who is {MASK}?"),
        ("Who is Bodanov?", ["Bodan"], "Who is Bodanov?"),
        ("Bodan Vale likes Bodan", ["Bodan", "Bodan Vale"], f"{MASK} likes {MASK}"),
        ("Bodan's home", ["Bodan"], f"{MASK}'s home"),
        ("12 of 120", ["12"], f"{MASK} of 120"),
        ("C++ (draft)", ["C++"], f"{MASK} (draft)"),
        ("nothing here", [], "nothing here"),
        ("nothing here", ["", "x"], "nothing here"),
        ("a.c abc", ["a.c"], f"{MASK} abc"),
    ],
)
def test_a_mask_stands_for_whole_names_and_values_longest_first(text: str, hidden: list[str], masked: str) -> None:
    assert mask(text, hidden) == masked


@given(text=TEXTS)
def test_a_masked_text_is_masked_once_and_for_all(text: str) -> None:
    once = mask(text, ["Bodan", "city"])
    assert mask(once, ["Bodan", "city"]) == once
    assert "bodan" not in words_of(once)


@pytest.mark.parametrize(
    ("held_out", "train", "share"),
    [
        ("Which rank has ·?", "Which rank has ·?", 1.0),
        ("Which rank has ·?", "Of what city is ·?", 0.25),
        ("Name the rank of ·.", "Name the city of ·.", 0.8),
        ("Tell me ·'s height.", "How tall is ·?", 0.2),
        ("·?", "·!", 1.0),
        ("", "Which rank?", 1.0),
        ("Which rank?", "", 0.0),
    ],
)
def test_the_share_of_words_is_that_of_the_held_out_text(held_out: str, train: str, share: float) -> None:
    assert shared_words(held_out, train) == pytest.approx(share)


@given(one=TEXTS, other=TEXTS)
def test_the_share_of_words_lies_between_none_and_all_and_is_all_of_itself(one: str, other: str) -> None:
    assert 0 <= shared_words(one, other) <= 1
    assert shared_words(one, one) == 1
    assert shared_words(one, f"{one} {other}") == 1


@given(one=TEXTS, other=TEXTS)
def test_counting_the_mask_never_hides_how_alike_two_texts_are(one: str, other: str) -> None:
    mine, theirs = set(words_of(one)), set(words_of(other))
    plain = mine - {MASK, "s"}
    assert shared_words(one, other) >= (len(mine & theirs) / len(mine) if mine else 1)
    assert shared_words(one, other) >= (len(plain & theirs) / len(plain) if plain else 0)


SHARED = [
    ("what is the rank of ·", "what is the home of ·", True),
    ("what is the rank of ·", "what is the very rank of ·", True),
    ("what is the rank of ·", "what is the first known rank of ·", True),
    ("what is the old rank of ·", "what is the first home of ·", True),
    ("what is the rank of ·", "what is the one and only rank of ·", False),
    ("what is the rank of ·", "where does · live", False),
    ("what is the rank of ·", "what was the home of ·", False),
    ("rank of ·", "home of ·", False),
    ("the rank of ·", "the home of ·", True),
    ("who knows · here", "who knows the · here", True),
    ("· has a rank", "has · a rank", False),
]


@pytest.mark.parametrize(("one", "other", "share"), SHARED)
def test_two_texts_share_a_frame_if_they_differ_in_one_run_of_at_most_two_words(
    one: str, other: str, share: bool
) -> None:
    assert bool(frames_of_text(one) & frames_of_text(other)) == share
    assert bool(frames_of_text(other) & frames_of_text(one)) == share


def by_force(one: list[str], other: list[str]) -> bool:
    """Whether cutting one run of at most two words, none the mask, out of each, at one place, leaves the same."""
    for start in range(min(len(one), len(other)) + 1):
        for a in range(3):
            for b in range(3):
                cut, left = one[start : start + a], other[start : start + b]
                same = one[:start] == other[:start] and one[start + a :] == other[start + b :]
                whole = len(cut) == a and len(left) == b and MASK not in (*cut, *left)
                kept = [*one[:start], *one[start + a :]]
                if same and whole and sum(word != MASK for word in kept) >= 2:
                    return True
    return False


@given(one=WORDS, other=WORDS)
def test_shared_frames_are_what_a_search_by_force_finds(one: list[str], other: list[str]) -> None:
    words = [words_of(" ".join(text)) for text in (one, other)]
    found = frames_of_text(" ".join(one)) & frames_of_text(" ".join(other))
    assert bool(found) == by_force(*words)


@given(text=TEXTS)
def test_a_frame_keeps_every_mask_and_leaves_a_gap(text: str) -> None:
    masks = words_of(text).count(MASK)
    for frame in frames_of_text(text):
        assert frame.split(" ").count(MASK) == masks
        assert frame.split(" ").count("…") == 1
