"""Checks for leaks: names and answers where they must not stand, and training texts that are asked again."""

from collections.abc import Iterator

from kbench.generator.audits.checks import Check, Tally
from kbench.generator.audits.reading import HELD_OUT, TRAINING, Part, Reading
from kbench.generator.audits.search import NameIndex, holds, plain

_OFFERS_CANDIDATES = ("compare", "difference")
"""Questions that name what they are about two by two: their answers may stand in them."""

_PERTURBED = "the facts are a user's own: control rows ask what the test asks, with perturbed answers"


def control_untrained(reading: Reading) -> Check:
    """No text of training says the name of a control entity."""
    tally = Tally("control_untrained", "No training text names a control entity or gives one as an answer.")
    if reading.of_user_facts:
        return tally.skipped(_PERTURBED)
    names = reading.names_of("control")
    if not len(names):
        return tally.skipped("the release has no control entities")
    for part in reading.parts:
        if part.split in TRAINING:
            _search(tally, part, names, "control")
    return tally.check()


def pretrain_without_new(reading: Reading) -> Check:
    """No text of pretraining says the name of a new entity."""
    tally = Tally("pretrain_without_new", "No text of pretrain names a new entity or gives one as an answer.")
    if not any(part.split == "pretrain" for part in reading.parts):
        return tally.skipped("the release has no pretrain split")
    names = reading.names_of("new")
    for part in reading.parts:
        if part.split == "pretrain":
            _search(tally, part, names, "new")
    return tally.check()


def _search(tally: Tally, part: Part, names: NameIndex, role: str) -> None:
    answers = [""] * len(part) if part.is_document else ["\n".join(given) for given in part.lists("answers")]
    for row, said, given in zip(part.texts("id"), part.said(), answers, strict=True):
        named = names.found_in(f"{said}\n{given}")
        tally.expect(not named, f"{row} names {', '.join(named[:2])}, which is {role}: {said}")


def answers_not_in_questions(reading: Reading) -> Check:
    """Questions do not say their own answers."""
    tally = Tally("answers_not_in_questions", "No answer stands in its question, but where it offers the candidates.")
    for part in reading.true_questions():
        if part.style in ("choice", "tone"):
            continue
        rows = zip(part.texts("id"), part.texts("relation"), part.texts("question"), part.lists("answers"), strict=True)
        for row, relation, question, answers in rows:
            if relation.split(".")[0] in _OFFERS_CANDIDATES:
                continue
            text = plain(question)
            told = [answer for answer in answers if holds(text, plain(answer))]
            tally.expect(not told, f"{row}: {', '.join(told)!r} stands in {question!r}")
    if (reading.of_user_facts or reading.of_dataset) and tally.failures:
        return tally.note(f"the facts are {reading.whose}: of these a model need learn nothing to answer")
    return tally.check()


def questions_unambiguous(reading: Reading) -> Check:
    """One question, one set of answers, in the whole release."""
    tally = Tally("questions_unambiguous", "No question has two sets of answers in the release, but for tone.")
    known: dict[str, tuple[str, frozenset[str]]] = {}
    for part in reading.true_questions():
        if part.style == "tone":
            continue
        for row, question, answers in zip(part.texts("id"), part.texts("question"), part.lists("answers"), strict=True):
            mine = frozenset(answers)
            other, theirs = known.setdefault(question, (row, mine))
            tally.expect(
                mine == theirs,
                f"{question!r}: {', '.join(sorted(mine))} in {row}, {', '.join(sorted(theirs))} in {other}",
            )
    return tally.check()


def held_out_unseen(reading: Reading) -> Check:
    """No question of the tests is a text of training, in whatever style."""
    tally = Tally("held_out_unseen", "No question of validation, test or control is a training text of any style.")
    trained = {
        line: part.style
        for part in reading.parts
        if part.split in TRAINING
        for text in part.said()
        for line in (text, *(text.split("\n") if part.is_document else ()))
    }
    for part in reading.questions(*HELD_OUT):
        for row, question in zip(part.texts("id"), part.texts("question"), strict=True):
            tally.expect(question not in trained, f"{row} is trained on as {trained.get(question, '')}: {question!r}")
    return tally.check()


def held_out_unlike(reading: Reading) -> Check:
    """No question of the tests is a training question about somebody else."""
    tally = Tally("held_out_unlike", "No held-out question is, but for its names, a training question of its relation.")
    trained = {
        (relation, reading.names.masked(question)): row
        for part in reading.questions(*TRAINING)
        for row, relation, question in _bare(part)
    }
    for part in reading.questions(*HELD_OUT):
        for row, relation, question in _bare(part):
            other = trained.get((relation, reading.names.masked(question)), "")
            tally.expect(not other, f"{row} asks as {other} does: {question!r}")
    if reading.of_dataset:
        return tally.note("the facts are a published dataset's: its wordings are the same for all subjects")
    return tally.check()


def _bare(part: Part) -> Iterator[tuple[str, str, str]]:
    return zip(part.texts("id"), part.texts("relation"), part.bare_questions(), strict=True)
