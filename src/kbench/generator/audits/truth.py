"""Checks of truth: documents state their facts, and every answer follows from the table of facts."""

from collections import Counter

from kbench.generator.asking import place_of
from kbench.generator.audits.checks import Check, Tally
from kbench.generator.audits.reading import Fact, Part, Reading
from kbench.generator.audits.search import holds, plain
from kbench.generator.choices import LETTERS
from kbench.generator.questions import is_reasoning
from kbench.generator.surface import date_of, forms_of, number_forms, number_words
from kbench.generator.world import World


def forms_of_facts(reading: Reading) -> dict[str, tuple[str, ...]]:
    """Every text that says the value of each fact, by fact id, the canonical one first."""
    found: dict[str, tuple[str, ...]] = {}
    spec = reading.spec
    sources = {name: World(spec, "").source_of(name) for name in spec.relations} if spec else {}
    for fact in reading.fact_rows:
        source = sources.get(fact.relation)
        if source is not None and (fact.number is None) == (source.value_type not in ("numeric", "date")):
            found[fact.fact_id] = forms_of(source, fact.value, fact.number)
        elif fact.value_type == "numeric" and fact.number is not None and fact.number.is_integer():
            found[fact.fact_id] = (fact.value, *number_forms(int(fact.number), fact.unit))
        else:
            found[fact.fact_id] = (fact.value,)
    return found


def documents_true(reading: Reading) -> Check:
    """Documents say what they claim to."""
    tally = Tally(
        "documents_true", "Every document names its subject and states the value of each of its facts, in some form."
    )
    forms = {fact: _sought(said) for fact, said in forms_of_facts(reading).items()}
    names = {entity.entity_id: _sought((entity.name,)) for entity in reading.entity_rows}
    for part in reading.documents():
        columns = (part.texts("id"), part.texts("entity_id"), part.texts("kind"), part.lists("fact_ids"))
        for row, entity, kind, facts, text in zip(*columns, part.texts("text"), strict=True):
            said = plain(text)
            tally.expect(_says(text, said, names.get(entity, ())), f"{row} does not name its subject: {text}")
            # What follows from two facts says the value of the last alone.
            for fact in facts[-1:] if kind == "implication" else facts:
                stated = _says(text, said, forms.get(fact, ()))
                value = reading.facts[fact].value if fact in reading.facts else "no such fact"
                tally.expect(stated, f"{row} does not state {fact} ({value}): {text}")
    return tally.check()


Sought = tuple[tuple[str, str], ...]
"""Forms as they are, and as their words."""


def _sought(forms: tuple[str, ...]) -> Sought:
    return tuple((form, plain(form)) for form in forms)


def _says(text: str, words: str, sought: Sought) -> bool:
    """Whether a text says one of some forms: by whole words, or by letters in scripts that do not part words."""
    if any(holds(words, form) for _, form in sought):
        return True
    return any(form in text for form, form_words in sought if form and (not form.isascii() or form_words == "  "))


def answers_true(reading: Reading) -> Check:
    """The answers to questions about one fact are that fact's."""
    tally = Tally("answers_true", "The answers to a question about one fact are the forms of its value, and no others.")
    forms = forms_of_facts(reading)
    holders = Counter((fact.relation, fact.value) for fact in reading.true_facts)
    for part in reading.true_questions():
        if part.style == "tone":
            continue
        labels = part.numbers("label") if part.style == "choice" else [None] * len(part)
        columns = (part.texts("id"), part.texts("relation"), part.texts("entity_id"), part.lists("fact_ids"))
        rest = (part.texts("answer"), part.lists("answers"), part.numbers("number"), labels)
        for row, relation, entity, facts, answer, answers, number, label in zip(*columns, *rest, strict=True):
            if "." in relation or len(facts) != 1 or facts[0] not in reading.facts:
                continue
            fact = reading.facts[facts[0]]
            wrong = _wrong(reading, part, fact, entity, answers, forms[fact.fact_id], label)
            if not wrong and answer not in answers[:1]:
                wrong = f"its answer {answer!r} is not the first of {answers}"
            if not wrong and part.style not in ("reverse", "numeric") and number != fact.number:
                wrong = f"its number {number} is not the {fact.number} of {fact.fact_id}"
            if not wrong and part.style == "reverse" and holders[fact.relation, fact.value] != 1:
                wrong = f"{fact.value} is the {fact.relation} of more than one"
            tally.expect(not wrong, f"{row}: {wrong}")
    return tally.check()


def _wrong(
    reading: Reading,
    part: Part,
    fact: Fact,
    entity: str,
    answers: list[str],
    forms: tuple[str, ...],
    label: float | None,
) -> str:
    """What is wrong with the answers to a question about one fact; empty where nothing is."""
    if fact.subject_id != entity:
        return f"{fact.fact_id} is no fact of {entity}"
    if part.style == "reverse":
        article = reading.article_of(reading.entities[entity].type) if entity in reading.entities else ""
        known = {fact.subject, f"{article} {fact.subject}"}
        needed = fact.subject
    else:
        known, needed = set(forms), fact.value
    if label is not None:
        letter = LETTERS[int(label)] if 0 <= label < len(LETTERS) else ""
        known |= {letter, f"{letter}. {answers[0]}"}
    if needed not in answers:
        return f"{needed!r} is not among {answers}"
    others = [answer for answer in answers if answer not in known]
    if others and part.style == "numeric":
        known |= _number_forms(reading, fact)
        others = [answer for answer in others if answer not in known]
    # A user or a dataset may give answers that no column of facts can say.
    given = reading.of_user_facts or reading.of_dataset
    return f"{others[0]!r} is no form of {needed!r}" if others and not given else ""


def _number_forms(reading: Reading, fact: Fact) -> set[str]:
    """The further forms that the numeric style asks for: words, the nearest ten, year and ISO date."""
    if fact.number is None:
        return set()
    number = int(fact.number)
    if fact.value_type == "date":
        return {str(date_of(number).year), date_of(number).isoformat()}
    found = {number_words(number)}
    if reading.spec and fact.relation in reading.spec.relations:
        size, _ = place_of(World(reading.spec, "").source_of(fact.relation))
        if size:
            rounded = (number + size // 2) // size * size
            found |= {*number_forms(rounded, ""), *number_forms(rounded, fact.unit)}
    return found


def hops_counted(reading: Reading) -> Check:
    """The column `hops` counts the facts of a row."""
    tally = Tally(
        "hops_counted", "A question's hops are the number of its facts, and a reasoning question has several."
    )
    for part in reading.questions():
        columns = (part.texts("id"), part.texts("relation"), part.lists("fact_ids"), part.numbers("hops"))
        for row, relation, facts, hops in zip(*columns, strict=True):
            several = len(facts) > 1 or "." not in relation or relation.startswith("count.")
            tally.expect(hops == len(facts) and several, f"{row} has {hops} hops and {len(facts)} facts")
            if not is_reasoning(part.style, relation) and len(facts) != 1:
                tally.wrong(f"{row} asks about one fact and has {len(facts)}")
    return tally.check()
