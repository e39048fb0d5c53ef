"""The one day that a reply says."""

import datetime
import re
import unicodedata

_MONTHS = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
_MONTH = rf"(?P<month>{'|'.join([*_MONTHS, 'sept', *(month[:3] for month in _MONTHS)])})\.?"
_DAY, _YEAR = r"(?<!\d)(?P<day>\d{1,2})(?:st|nd|rd|th)?", r"(?P<year>\d{4})(?!\d)"
_WRITTEN = (
    re.compile(rf"{_DAY}(?: of)?[ -]{_MONTH}(?:,? |-){_YEAR}"),
    re.compile(rf"\b{_MONTH} (?:the )?{_DAY}(?:,? |, ?){_YEAR}"),
    re.compile(r"(?<![\d-])(?P<year>\d{4})(?P<mark>[-/.])(?P<month>\d{1,2})(?P=mark)(?P<day>\d{1,2})(?!\d)"),
)
_SLASHED = re.compile(r"(?<![\d./-])(?P<one>\d{1,2})(?P<mark>[./-])(?P<two>\d{1,2})(?P=mark)(?P<year>\d{4})(?!\d)")
_BOUND = re.compile(r"\b(not|never|before|after|until|between)\b")
_EPOCH = datetime.date(1970, 1, 1)


def read_day(text: str) -> int | None:
    """The day that a text says, as days since 1970-01-01; None where it says none, or not one.

    Read are `3 May 1968`, `May 3, 1968`, `3rd of May, 1968`, `3-May-1968`, `1968-05-03`, `1968/5/3`, and `13.5.1968`
    where only one of the two can be the month (or both are the same). A year, a month, `3/5/1968`, a year of two
    digits, two days that differ, 30 February and "before 3 May 1968" are no day.
    """
    said = " ".join(unicodedata.normalize("NFKC", text).replace("−", "-").casefold().split())
    if _BOUND.search(said):
        return None
    found = [
        _day(int(match["year"]), _month(match["month"]), int(match["day"]))
        for form in _WRITTEN
        for match in form.finditer(said)
    ]
    for match in _SLASHED.finditer(said):
        one, two = int(match["one"]), int(match["two"])
        if one == two or max(one, two) > 12:
            month, day = sorted((one, two))
            found.append(_day(int(match["year"]), month, day))
    return found[0] if found and len(set(found)) == 1 else None


def _month(text: str) -> int:
    if text.isdigit():
        return int(text)
    return next(number for number, month in enumerate(_MONTHS, start=1) if month.startswith(text[:3]))


def _day(year: int, month: int, day: int) -> int | None:
    try:
        return (datetime.date(year, month, day) - _EPOCH).days
    except ValueError:  # no such day
        return None
