"""Checks of multiple choice: options that differ and are of one kind, and a right one that stands anywhere."""

import re
from collections import Counter, defaultdict
from math import sqrt

from kbench.generator.audits.checks import Check, Tally
from kbench.generator.audits.reading import Part, Reading
from kbench.generator.choices import LETTERS, OPTIONS, listed
from kbench.generator.pools import load_pool
from kbench.generator.world import World

_BOUND = 4
"""A share of labels may lie so many standard errors from an even one."""
_NUMBER = re.compile(r"[-−]?\d[\d,]*(?:\.\d+)?")
_DATE = re.compile(r"\d{1,2} [A-Z][a-z]+ -?\d+|[A-Z][a-z]+ \d{1,2}, -?\d+|-?\d{4,}-\d\d-\d\d")


def choices_sound(reading: Reading) -> Check:
    """Options, label and answer of each row agree."""
    tally = Tally("choices_sound", f"A choice shows 2 to {OPTIONS} distinct options, and its label is the answer's.")
    for part in _choice(reading):
        columns = (part.texts("id"), part.texts("question"), part.texts("answer"), part.lists("answers"))
        for row, question, answer, answers, options, number in zip(
            *columns, part.lists("choices"), part.numbers("label"), strict=True
        ):
            label = -1 if number is None else int(number)
            wrong = ""
            if not 2 <= len(options) <= OPTIONS or len({o.casefold() for o in options}) != len(options):
                wrong = f"its options are {options}"
            elif not 0 <= label < len(options) or options[label] != answer:
                wrong = f"its label {label} of {options} is not that of {answer!r}"
            elif LETTERS[label] not in answers:
                wrong = f"the letter {LETTERS[label]} is not among {answers}"
            elif not question.endswith(f"\n{listed(options)}"):
                wrong = f"its question does not end with its options: {question!r}"
            tally.expect(not wrong, f"{row}: {wrong}")
    return tally.check()


def labels_balanced(reading: Reading) -> Check:
    """The right option stands in each place about equally often."""
    tally = Tally("labels_balanced", f"Each place holds the answer equally often, within {_BOUND} standard errors.")
    for part in _choice(reading):
        sizes = [len(options) for options in part.lists("choices")]
        k = max(sizes, default=0)
        labels = Counter(label for label, size in zip(part.numbers("label"), sizes, strict=True) if size == k)
        n = labels.total()
        for place in range(k if n else 0):
            share, even = labels[place] / n, 1 / k
            told = f"{LETTERS[place]} is right in {share:.1%} of {n:,} rows of {part.split}, expected {even:.1%}"
            tally.expect(abs(share - even) <= _BOUND * sqrt(even * (1 - even) / n), told)
    if reading.of_dataset and tally.failures:
        return tally.note("the options are a published dataset's: always answering one letter scores above chance")
    return tally.check()


def options_alike(reading: Reading) -> Check:
    """The wrong options are of the answer's kind."""
    tally = Tally("options_alike", "The wrong options are values that the relation could have: of its type or pool.")
    if reading.of_dataset:
        return tally.skipped("the options are a published dataset's, which has no table of the values that could be")
    values: dict[str, set[str]] = defaultdict(set)
    for fact in reading.fact_rows:
        values[fact.relation].add(fact.value)
    for relation, texts in values.items():
        texts |= _pool_values(reading, relation)
    types = {entity.name: entity.type for entity in reading.entity_rows}
    for part in _choice(reading):
        columns = (part.texts("id"), part.texts("relation"), part.texts("value_type"), part.texts("unit"))
        for row, relation, value_type, unit, answer, options in zip(
            *columns, part.texts("answer"), part.lists("choices"), strict=True
        ):
            if value_type == "entity":
                odd = [o for o in options if o not in types or types[o] != types.get(answer)]
            elif value_type in ("numeric", "date"):
                form = _DATE if value_type == "date" else _NUMBER
                odd = [o for o in options if o not in values[relation] and not _says(form, o, unit)]
            else:
                odd = [o for o in options if o not in values[relation]]
            tally.expect(not odd, f"{row}: {', '.join(odd)!r} beside {answer!r}")
    return tally.check()


def _choice(reading: Reading) -> list[Part]:
    return [part for part in reading.questions() if part.style == "choice"]


def _says(form: re.Pattern[str], option: str, unit: str) -> bool:
    return form.fullmatch(option.removesuffix(f" {unit}") if unit else option) is not None


def _pool_values(reading: Reading, relation: str) -> set[str]:
    if reading.spec is None or relation not in reading.spec.relations:
        return set()
    found = [""]
    for pool in World(reading.spec, "").source_of(relation).pools:
        found = [f"{head} {value}".strip() for head in found for value in load_pool(pool)]
    return set(found) - {""}
