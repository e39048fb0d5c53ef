"""Numbers spelled out in English: `one hundred and sixty-one` is 161."""

import re
from fractions import Fraction

_ONES = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"),
    *("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
)
_SMALL = {word: value for value, word in enumerate(_ONES)}
_TENS = {
    word: 10 * value
    for value, word in enumerate(("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"), 2)
}
_LARGE = {"thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
_WORD = rf"(?:{'|'.join(sorted([*_SMALL, *_TENS, *_LARGE, 'hundred'], key=len, reverse=True))})\b"
SPELLED = re.compile(
    r"\b(?:(?:minus|negative) )?(?:a (?=hundred|thousand|million|billion))?"
    rf"{_WORD}(?:(?:,? and |, |[- ]| point ){_WORD})*(?!-\w)"
)
"""A run of number words in lower-case text; `spelled_number` says what it means, if anything."""


def spelled_number(text: str) -> Fraction | None:
    """The number that lower-case words say; None where they are no one number (`seven eight`).

    >>> spelled_number("forty-five thousand, five hundred and one")
    Fraction(45501, 1)
    >>> spelled_number("minus three point one four")
    Fraction(-157, 50)
    >>> spelled_number("seven eight")
    """
    negative = text.startswith(("minus ", "negative "))
    whole, _, decimals = text.removeprefix("minus ").removeprefix("negative ").partition(" point ")
    if whole.startswith("a "):
        whole = f"one {whole[2:]}"
    number = _whole([word for word in re.split(r"[-, ]+", whole) if word != "and"])
    digits = [_SMALL.get(word, 10) for word in decimals.split()]
    if number is None or any(digit > 9 for digit in digits):
        return None
    found = Fraction(number) + sum(Fraction(digit, 10**place) for place, digit in enumerate(digits, start=1))
    return -found if negative else found


def _whole(words: list[str]) -> int | None:
    total, group, last_large = 0, 0, 10**15
    room = 100  # what the next word of the group must be below
    for word in words:
        if word in _LARGE:
            if not group or _LARGE[word] >= last_large:
                return None
            total, group, room, last_large = total + group * _LARGE[word], 0, 100, _LARGE[word]
        elif word == "hundred":
            if not 0 < group < 100:
                return None
            group, room = group * 100, 100
        else:
            value = _TENS.get(word, _SMALL.get(word, 0))
            if value >= room or (group and value == 0):
                return None
            group, room = group + value, (10 if word in _TENS else 0)
    return total + group if words else None
