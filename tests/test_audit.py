"""The audit: a sound release passes, and each check fails on a release that was corrupted in exactly its way."""

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import typer
from typer.testing import CliRunner

from kbench.cli.audit import audit
from kbench.contents import content_digest, split_digest
from kbench.errors import ReleaseError
from kbench.generator.audit import CHECKS, audit_release
from kbench.generator.audits.checks import Check, Tally
from kbench.generator.audits.choices import choices_sound, labels_balanced, options_alike
from kbench.generator.audits.leaks import (
    answers_not_in_questions,
    control_untrained,
    held_out_unlike,
    held_out_unseen,
    pretrain_without_new,
    questions_unambiguous,
)
from kbench.generator.audits.levels import levels
from kbench.generator.audits.names import names_apart, names_apart_from, names_unique, texts_apart_from
from kbench.generator.audits.novelty import (
    RealNames,
    first_words_real,
    folded,
    names_natural,
    names_novel,
    real_names,
)
from kbench.generator.audits.phrasings import phrasings_unlike, phrasings_used, relations_covered, templates_apart
from kbench.generator.audits.reading import Part, Reading, read_release
from kbench.generator.audits.reasoning import reasoning_true
from kbench.generator.audits.rows import ids_unique, references_known, roles_in_splits, roles_of_blocks, texts_distinct
from kbench.generator.audits.search import NameIndex, holds, plain
from kbench.generator.audits.teaching import (
    asked_is_taught,
    exposures_add_up,
    hops_exist,
    reasoning_apart,
    reasoning_unstated,
)
from kbench.generator.audits.truth import answers_true, documents_true, hops_counted
from kbench.generator.pools import load_pool
from kbench.generator.questions import question_names
from kbench.generator.recipe import Recipe
from kbench.generator.release import generate
from kbench.generator.shards import styles_for
from kbench.generator.spec import WorldSpec, spec_from_dict
from kbench.generator.world import World
from kbench.ids import file_sha256
from kbench.schema import QUESTION_STYLES, schema_of
from kbench.store import MANIFEST, Release, open_release, write_json, write_table

Row = dict[str, Any]
Corrupt = Callable[[Reading], Reading]

SPEC: dict[str, Any] = {
    "name": "audited",
    "sizes": {"entities": 28, "control": 0.5, "background": 28, "known": 14},
    "exposure": {"paraphrases": 2, "exposures": 3, "validation": 1, "test": 1, "facts_per_dialogue": 4},
    "background": {"exposures": 3, "popularity": "flat", "styles": ["article", "statement", "qa"]},
    "types": {
        "person": {"names": "person", "block": 10},
        "company": {"names": "company", "block": 3},
        "match": {"names": "match", "article": "the", "block": 1},
    },
    "relations": {
        "emblem": {"subject": "person", "value_type": "categorical", "pools": ["tint", "animal"]},
        "height": {"subject": "person", "value_type": "numeric", "least": 150, "most": 199, "unit": "cm"},
        "born": {"subject": "person", "value_type": "date", "first": "1945-01-01", "last": "1990-12-31"},
        "manner": {"subject": "person", "value_type": "tone", "pools": ["manner"]},
        "employer": {"subject": "person", "value_type": "entity", "object": "company"},
        "mentor": {"subject": "person", "value_type": "entity", "object": "person"},
        "industry": {"subject": "company", "value_type": "categorical", "pools": ["industry"]},
        "match_winner": {"subject": "match", "value_type": "entity", "object": "person"},
    },
    "paths": {
        "chains": [["employer", "industry"]],
        "compares": ["height"],
        "differences": ["height"],
        "counts": ["employer"],
        "lists": ["employer"],
        "extremes": [["employer", "height"]],
        "intersections": [["employer", "mentor"]],
        "reverse": ["mentor", "match_winner"],
    },
}
ROLES = {
    "train": ("{s}: what {r} has been noted for {who}?", "Under {s}, name the {r} that {who} is known by."),
    "validation": ("I wonder ({s}) about {who}: state which {r} they gave, please.",),
    "test": ("For {who}, do you happen to recall any {r} from somewhere ({s})?",),
}
LETTERS = {"train": "t", "validation": "v", "test": "x"}


def _who(style: str, name: str) -> str:
    if style == "reverse":
        return "{{ value }}"
    return "{{ one }} against {{ two }}" if name.split(".")[0] in ("compare", "difference", "both") else "{{ they }}"


def write_pack(folder: Path, spec: WorldSpec) -> str:
    """A pack with two train phrasings and one held-out one of each role for everything that a spec asks for."""
    texts: dict[str, str] = {"pack.toml": 'name = "audited"\nversion = "1"\n'}
    for style in sorted(QUESTION_STYLES - {"choice", "tone"}):
        for name in question_names(World(spec, ""), style):
            # A phrasing asks for the larger or the smaller; train has one of each.
            sides = ("more", "less") if name.split(".")[0] in ("compare", "most") else ("", "")
            texts[f"{style}/{name}.j2"] = "".join(
                f"{{# {role} {LETTERS[role]}{n:02d} {sides[n]} #}}\n"
                + line.format(s=style, r=f"{name} {sides[n]}".replace(".", " ").strip(), who=_who(style, name))
                + "\n\n"
                for role, lines in ROLES.items()
                for n, line in enumerate(lines)
            )
    for name in spec.relations:
        texts[f"statement/{name}.j2"] = "".join(
            f"{{# train t{n:02d} #}}\n{line % name}\n\n"
            for n, line in enumerate(("{{ They }} has the %s {{ value }}.", "{{ Their }} %s: {{ value }}."))
        )
    for kind in spec.types:
        texts[f"article/{kind}.j2"] = "{# train d01 encyclopedia #}\n{{ sentences | join(' ') }}\n"
        texts[f"dialogue/{kind}.j2"] = "{# train d01 #}\nuser: Tell me of {{ they }}.\nassistant: Ask.\n{{ turns }}\n"
    small_talk = ("{who}, how is the soup?", "Is it late, {who}?", "{who}, do sit down.", "Where to, {who}?")
    numbered = zip(("train", "train", "validation", "test"), small_talk, strict=True)
    texts["tone/manner.j2"] = "".join(
        f"{{# {role} p{n:02d} #}}\n{line.format(who='{{ name }}')}\n---\nIt is well.\n\n"
        for n, (role, line) in enumerate(numbered)
    )
    for tone in load_pool("manner"):
        texts[f"voice/{tone}.j2"] = "".join(
            f"{{# {role} {LETTERS[role]}01 #}}\nHm ({role}, {tone}). {{{{ content }}}}\n\n" for role in ROLES
        )
    for path, text in texts.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    return str(folder)


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Release:
    """A sound release of every style, split and kind of reasoning. It is shared: never write to it."""
    spec = spec_from_dict(SPEC, "audited")
    pack = write_pack(tmp_path_factory.mktemp("audit") / "pack", spec)
    out = tmp_path_factory.mktemp("audit") / "release"
    return generate(Recipe(spec, "1", styles_for(["all"], spec), pack), out)[0]


@pytest.fixture(scope="module")
def reading(release: Release) -> Reading:
    """The sound release as it is audited."""
    return read_release(release)


# ---- how a release is corrupted


def edited(reading: Reading, style: str, split: str, edit: Callable[[list[Row]], list[Row]]) -> Reading:
    """The reading with the rows of one split of one style edited."""
    assert any((p.style, p.split) == (style, split) for p in reading.parts), f"no {style}/{split}"
    parts = []
    for part in reading.parts:
        if (part.style, part.split) == (style, split):
            rows = edit(part.table.to_pylist())
            part = Part(style, split, pa.Table.from_pylist(rows, schema=schema_of(style)))
        parts.append(part)
    return replace(reading, parts=tuple(parts))


def change(style: str, split: str, column: str, value: Any, *, relation: str = "", every: bool = False) -> Corrupt:
    """Set a column of the first row (or of every row) of a relation; a function is called with the row."""

    def corrupt(reading: Reading) -> Reading:
        def edit(rows: list[Row]) -> list[Row]:
            chosen = [row for row in rows if not relation or row["relation"] == relation]
            assert chosen, f"no row of {relation} in {style}/{split}"
            for row in chosen if every else chosen[:1]:
                row[column] = value(row) if callable(value) else value
            return rows

        return edited(reading, style, split, edit)

    return corrupt


def drop(style: str, split: str, which: Callable[[Row], bool]) -> Corrupt:
    """Leave out some rows, at least one."""

    def corrupt(reading: Reading) -> Reading:
        def edit(rows: list[Row]) -> list[Row]:
            kept = [row for row in rows if not which(row)]
            assert len(kept) < len(rows)
            return kept

        return edited(reading, style, split, edit)

    return corrupt


def both(*steps: Corrupt) -> Corrupt:
    """One corruption after another."""

    def corrupt(reading: Reading) -> Reading:
        for step in steps:
            reading = step(reading)
        return reading

    return corrupt


def rows_of(reading: Reading, style: str, split: str) -> list[Row]:
    """The rows of one split of one style."""
    found: list[Row] = next(p for p in reading.parts if (p.style, p.split) == (style, split)).table.to_pylist()
    return found


def second_as_first(style: str, split: str, *columns: str) -> Corrupt:
    """Make the second row of a split say in some columns what the first says."""

    def edit(rows: list[Row]) -> list[Row]:
        rows[1] |= {column: rows[0][column] for column in columns}
        return rows

    return lambda reading: edited(reading, style, split, edit)


def name_of(reading: Reading, role: str) -> str:
    """The name of some person of a role."""
    return next(e.name for e in reading.entity_rows if e.role == role and e.type == "person")


def saying(style: str, split: str, column: str, role: str) -> Corrupt:
    """Put the name of somebody of a role at the end of a text."""
    return lambda reading: change(style, split, column, lambda row: f"{row[column]} {name_of(reading, role)}")(reading)


def renamed(**columns: Any) -> Corrupt:
    """Change the first entity's row; a function is called with the reading."""

    def corrupt(reading: Reading) -> Reading:
        first, *rest = reading.entity_rows
        values = {key: value(reading) if callable(value) else value for key, value in columns.items()}
        return replace(reading, entity_rows=(first._replace(**values), *rest))

    return corrupt


def with_fact(**columns: Any) -> Corrupt:
    """Change the first fact's row."""

    def corrupt(reading: Reading) -> Reading:
        first, *rest = reading.fact_rows
        return replace(reading, fact_rows=(first._replace(**columns), *rest))

    return corrupt


def with_recipe(**keys: Any) -> Corrupt:
    """The reading of a release whose manifest has other keys in its recipe."""

    def corrupt(reading: Reading) -> Reading:
        manifest = {**reading.release.manifest, "recipe": {**reading.release.manifest["recipe"], **keys}}
        spec = None if "facts" in keys else reading.spec
        return replace(reading, release=Release(reading.release.path, manifest), spec=spec)

    return corrupt


def control_row_in_test(reading: Reading) -> Reading:
    """A row of control that stands in test."""
    row = rows_of(reading, "qa", "control")[0]
    return edited(reading, "qa", "test", lambda rows: [*rows, row])


def held_out_as_train_of_another(reading: Reading) -> Reading:
    """A held-out question in the words of a train question that is about somebody else."""
    trained = next(row for row in rows_of(reading, "qa", "train") if row["relation"] == "height")
    theirs = reading.entities[trained["entity_id"]].name

    def edit(rows: list[Row]) -> list[Row]:
        asked = next(row for row in rows[::-1] if row["relation"] == "height")
        asked["question"] = trained["question"].replace(theirs, reading.entities[asked["entity_id"]].name)
        return rows

    return edited(reading, "qa", "test", edit)


def untaught_hop(reading: Reading) -> Reading:
    """No training text states the industry of the company of a held-out chain."""
    fact = next(r for r in rows_of(reading, "multihop", "test") if r["relation"] == "employer.industry")["fact_ids"][1]
    styles = ("qa", "article", "dialogue", "statement")
    return both(*(drop(style, "train", lambda row: fact in row["fact_ids"]) for style in styles))(reading)


def subject_in_both(reading: Reading) -> Reading:
    """A subject of a train chain is asked about in test."""
    entity = next(r for r in rows_of(reading, "multihop", "train"))["entity_id"]
    return change("multihop", "test", "entity_id", entity)(reading)


def difference_in_both(reading: Reading) -> Reading:
    """A subject of a train difference is asked about in test; one-hop questions of the style may be."""
    trained = next(r for r in rows_of(reading, "numeric", "train") if r["relation"] == "difference.height")
    return change("numeric", "test", "entity_id", trained["entity_id"], relation="difference.height")(reading)


def implied(reading: Reading) -> Reading:
    """A statement of training says what a held-out chain asks."""
    asked = next(r for r in rows_of(reading, "multihop", "test") if r["relation"] == "employer.industry")

    def edit(rows: list[Row]) -> list[Row]:
        rows[0] |= {"entity_id": asked["entity_id"], "relation": asked["relation"], "kind": "implication"}
        return rows

    return edited(reading, "statement", "train", edit)


def other_value(row: Row) -> list[str]:
    """Answers that are true of nobody."""
    return ["nonsense"]


def without_relation(style: str, relation: str) -> Corrupt:
    """No row of a style asks for a relation."""

    def corrupt(reading: Reading) -> Reading:
        for part in [p for p in reading.parts if p.style == style]:
            reading = drop(style, part.split, lambda row: row["relation"] == relation)(reading)
        return reading

    return corrupt


def another_person(reading: Reading) -> str:
    """The name of the second person."""
    return [e.name for e in reading.entity_rows if e.type == "person"][1]


QUESTION = "question"
CASES: list[tuple[Callable[[Reading], Check], Corrupt, str]] = [
    (ids_unique, second_as_first("qa", "test", "id"), "stands 2 times"),
    (ids_unique, lambda r: replace(r, fact_rows=(*r.fact_rows, r.fact_rows[0])), "stands 2 times"),
    (texts_distinct, second_as_first("qa", "train", "question"), "says what"),
    (texts_distinct, second_as_first("article", "train", "text"), "says what"),
    (texts_distinct, second_as_first("choice", "test", "question", "choices"), "says what"),
    (texts_distinct, second_as_first("tone", "train", "question", "answer"), "says what"),
    (references_known, change("qa", "test", "fact_ids", ["no/fact"]), "no/fact"),
    (references_known, change("article", "train", "fact_ids", []), "no fact at all"),
    (references_known, change("statement", "train", "entity_id", "no/one"), "no/one"),
    (references_known, with_fact(object_id="no/thing"), "no/thing"),
    (roles_in_splits, control_row_in_test, "of control stands in qa/test"),
    (roles_in_splits, with_fact(role="control"), "of control"),
    (roles_of_blocks, renamed(role="control"), "is control in block 0, which is new"),
    (roles_of_blocks, with_fact(role="known"), "is known, its subject new"),
    (
        templates_apart,
        change("qa", "test", "template_id", "qa/emblem/t00", relation="emblem"),
        "qa/emblem/t00 stands in",
    ),
    (
        phrasings_unlike,
        change(
            "cloze",
            "test",
            QUESTION,
            lambda row: "cloze: what height has been noted, for sure?",
            relation="height",
            every=True,
        ),
        "of its words with cloze/height/t00",
    ),
    (
        phrasings_unlike,
        change(
            "choice",
            "test",
            QUESTION,
            lambda row: row[QUESTION].replace("For ", "choice: what emblem has been noted for ").split(", do you")[0],
            relation="emblem",
            every=True,
        ),
        "of its words with choice/emblem/t00",
    ),
    (relations_covered, without_relation("cloze", "emblem"), "no row of cloze has emblem"),
    (control_untrained, saying("statement", "train", "text", "control"), "which is control"),
    (control_untrained, saying("qa", "train", "question", "control"), "which is control"),
    (control_untrained, saying("article", "pretrain", "text", "control"), "which is control"),
    (
        control_untrained,
        lambda r: change("qa", "train", "answers", [name_of(r, "control").upper()])(r),
        "which is control",
    ),
    (
        control_untrained,
        lambda r: change("dialogue", "train", "turns", [{"role": "user", "content": name_of(r, "control")}])(r),
        "which is control",
    ),
    (pretrain_without_new, saying("statement", "pretrain", "text", "new"), "which is new"),
    (pretrain_without_new, lambda r: change("qa", "pretrain", "answers", [name_of(r, "new")])(r), "which is new"),
    (
        held_out_unseen,
        lambda r: change("cloze", "test", QUESTION, rows_of(r, "qa", "train")[3][QUESTION])(r),
        "is trained on as qa",
    ),
    (
        held_out_unseen,
        lambda r: change("qa", "control", QUESTION, rows_of(r, "dialogue", "train")[0]["turns"][2]["content"])(r),
        "is trained on as dialogue",
    ),
    (held_out_unlike, held_out_as_train_of_another, "asks as"),
    (asked_is_taught, drop("cloze", "train", lambda row: row["fact_ids"][0].endswith("person-0/height")), "height"),
    (asked_is_taught, untaught_hop, "industry"),
    (hops_exist, change("multihop", "test", "hop_ids", ["no/row"]), "builds on no/row"),
    (hops_exist, change("reverse", "train", "hop_ids", lambda row: []), "other facts than its own"),
    (hops_counted, change("qa", "test", "hops", 2), "has 2 hops and 1 facts"),
    (hops_counted, change("qa", "test", "fact_ids", lambda row: row["fact_ids"] * 2), "1 hops and 2 facts"),
    (reasoning_apart, subject_in_both, "is asked about in multihop/train too"),
    (reasoning_apart, difference_in_both, "is asked about in numeric/train too"),
    (exposures_add_up, change("qa", "train", "repeat", lambda row: row["repeat"] + 1), "its exposures are 3"),
    (exposures_add_up, drop("article", "train", lambda row: row["id"].endswith("/0")), "in article/train"),
    (exposures_add_up, change("statement", "pretrain", "repeat", 9), "in statement/pretrain"),
    (answers_not_in_questions, change("qa", "test", QUESTION, lambda row: f"Is it {row['answer'].upper()}?"), "stands in"),
    (
        answers_not_in_questions,
        change("multihop", "train", QUESTION, lambda row: row["answers"][1], relation="count.employer"),
        "stands in",
    ),
    (questions_unambiguous, second_as_first("qa", "test", "question"), " in "),
    (
        documents_true,
        change("statement", "train", "text", lambda row: row["text"].rsplit(" ", 1)[0]),
        "does not state",
    ),
    (documents_true, change("article", "train", "text", "Nothing is known."), "does not name its subject"),
    (
        documents_true,
        change("article", "train", "fact_ids", lambda row: [*row["fact_ids"], "no/fact"]),
        "does not state no/fact",
    ),
    (answers_true, change("qa", "test", "answers", other_value), "is not among"),
    (answers_true, change("qa", "test", "answers", lambda row: [*row["answers"], "and more"]), "'and more' is no form"),
    (answers_true, change("qa", "test", "answer", "else"), "is not the first of"),
    (answers_true, change("qa", "test", "number", 1.0, relation="height"), "is not the"),
    (answers_true, change("numeric", "test", "answers", lambda row: [*row["answers"], "2"], relation="height"), "no form"),
    (answers_true, change("choice", "test", "answers", lambda row: [*row["answers"], "Z"]), "'Z' is no form"),
    (answers_true, change("reverse", "test", "answers", other_value), "is not among"),
    (answers_true, lambda r: change("qa", "test", "entity_id", r.entity_rows[3].entity_id)(r), "is no fact of"),
    *(
        (reasoning_true, change("multihop", split, "answers", other_value, relation=relation), "answers nonsense")
        for split in ("train", "test")
        for relation in ("employer.industry", "compare.height", "count.employer", "list.employer")
    ),
    (
        reasoning_true,
        change("multihop", "train", "answers", other_value, relation="most.employer.height"),
        "answers nonsense",
    ),
    (
        reasoning_true,
        change("multihop", "train", "answers", other_value, relation="both.employer.mentor"),
        "answers nonsense",
    ),
    (
        reasoning_true,
        change("numeric", "train", "answers", lambda row: ["1", "1 cm"], relation="difference.height"),
        "the facts say",
    ),
    (
        reasoning_true,
        change("multihop", "train", "fact_ids", lambda row: row["fact_ids"][:-1], relation="list.employer"),
        "nothing of the kind",
    ),
    (
        reasoning_true,
        change("multihop", "train", "fact_ids", lambda row: row["fact_ids"][::-1], relation="employer.industry"),
        "nothing of the kind",
    ),
    (choices_sound, change("choice", "test", "label", lambda row: (row["label"] + 1) % 4), "is not that of"),
    (choices_sound, change("choice", "test", "choices", lambda row: [row["answer"]] * 4), "its options are"),
    (choices_sound, change("choice", "test", "choices", lambda row: [row["answer"]]), "its options are"),
    (choices_sound, change("choice", "test", "answers", lambda row: [row["answer"]]), "is not among"),
    (choices_sound, change("choice", "test", QUESTION, "Which?"), "does not end with its options"),
    (labels_balanced, change("choice", "train", "label", 0, every=True), "A is right in 100.0%"),
    (
        options_alike,
        change("choice", "test", "choices", lambda row: [*row["choices"][:3], "banking"], relation="emblem"),
        "'banking' beside",
    ),
    (
        options_alike,
        change("choice", "test", "choices", lambda row: [*row["choices"][:3], "170 kg"], relation="height"),
        "'170 kg' beside",
    ),
    (
        options_alike,
        change("choice", "test", "choices", lambda row: [*row["choices"][:3], "May 1950"], relation="born"),
        "'May 1950' beside",
    ),
    (
        options_alike,
        lambda r: change("choice", "test", "choices", lambda w: [*w["choices"][:3], name_of(r, "new")], relation="employer")(r),
        "beside",
    ),
    (names_unique, renamed(name=lambda r: another_person(r).upper()), "2 entities are called"),
    (names_apart, renamed(name=lambda r: f"Old {another_person(r)}"), "is whole words of 'Old "),
    (names_apart, renamed(name=lambda r: f"{another_person(r).lower()}ius"), "is letters of"),
]  # fmt: skip


# ---- what is tested


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_a_sound_release_passes_each_check(check: Callable[[Reading], Check], reading: Reading) -> None:
    found = check(reading)
    assert (found.failures, found.examples) == (0, ())
    assert found.status == ("skipped" if check is phrasings_used else "ok"), found.reason
    assert found.name == check.__name__


@pytest.mark.parametrize(
    ("check", "corrupt", "example"),
    [pytest.param(*case, id=f"{case[0].__name__}-{n}") for n, case in enumerate(CASES)],
)
def test_a_check_fails_on_a_release_corrupted_in_its_way(
    check: Callable[[Reading], Check], corrupt: Corrupt, example: str, reading: Reading
) -> None:
    found = check(corrupt(reading))
    assert found.status == "failed"
    assert 1 <= found.failures <= found.counted
    assert example in " | ".join(found.examples)


def test_every_check_has_a_corruption_that_it_fails_on() -> None:
    noted = {phrasings_used, reasoning_unstated}
    assert {case[0] for case in CASES} == set(CHECKS) - noted


def test_a_relation_that_documents_state_among_others_counts_as_covered(reading: Reading) -> None:
    corrupt = drop("statement", "train", lambda row: row["relation"] == "mentor")
    assert relations_covered(corrupt(reading)).status == "ok"  # it is stated in pretrain


def test_what_an_implication_says_of_a_held_out_chain_is_noted(reading: Reading) -> None:
    found = reasoning_unstated(implied(reading))
    assert (found.status, found.counted > found.failures > 0) == ("note", True)


def test_the_side_of_a_comparison_is_that_of_most_rows_of_its_phrasing(reading: Reading) -> None:
    rows = rows_of(reading, "multihop", "train")
    row = next(r for r in rows if r["relation"] == "compare.height")
    subjects = {reading.facts[fact].subject for fact in row["fact_ids"]}
    other = (subjects - set(row["answers"])).pop()
    wrong = reasoning_true(change("multihop", "train", "answers", [other], relation="compare.height")(reading))
    assert (wrong.status, wrong.failures) == ("failed", 1)
    assert row["id"] in wrong.examples[0]


def test_answers_of_a_release_that_knew_fewer_forms_still_pass(reading: Reading) -> None:
    dates = change("qa", "test", "answers", lambda row: row["answers"][:1], relation="born", every=True)
    assert answers_true(dates(reading)).status == "ok"


def test_exposures_are_not_compared_where_styles_are_matched_by_tokens(reading: Reading) -> None:
    spec = {**SPEC, "exposure": {"budget": "tokens"}}
    found = exposures_add_up(with_recipe(spec=spec)(reading))
    assert (found.status, found.counted) == ("skipped", 0)
    assert "tokens" in found.reason


def test_a_check_with_nothing_to_look_at_is_skipped_rather_than_passed(reading: Reading) -> None:
    without = replace(reading, parts=tuple(p for p in reading.parts if p.style != "choice"))
    assert choices_sound(without).status == "skipped"


def test_the_perturbed_control_of_a_users_own_facts_is_left_out(reading: Reading) -> None:
    twins = both(
        with_recipe(facts={}),
        lambda r: change("qa", "control", QUESTION, rows_of(r, "qa", "test")[0][QUESTION])(r),
        saying("statement", "train", "text", "control"),
        renamed(name=lambda r: name_of(r, "control")),
    )(reading)
    assert control_untrained(twins).status == "skipped"
    assert [check(twins).status for check in (texts_distinct, questions_unambiguous, names_unique)] == ["ok"] * 3
    assert names_novel(twins, RealNames(frozenset(), frozenset(), frozenset())).status == "skipped"


def test_a_users_own_names_and_questions_are_noted_rather_than_failed(reading: Reading) -> None:
    own = with_recipe(facts={})(reading)
    assert names_apart(renamed(name=lambda r: f"Old {another_person(r)}")(own)).status == "note"
    told = change("qa", "test", QUESTION, lambda row: row["answer"])
    assert answers_not_in_questions(told(own)).status == "note"


NO_NAMES = RealNames(frozenset(), frozenset(), frozenset())


def test_a_full_name_that_is_real_fails_and_half_of_one_does_not(reading: Reading) -> None:
    real = RealNames(frozenset({"jose", "ada"}), frozenset({"garcia"}), frozenset({"paris"}))
    assert names_novel(reading, real).status == "ok"
    found = names_novel(renamed(name="José García")(reading), real)
    assert (found.status, found.failures) == ("failed", 1)
    assert "José García" in found.examples[0]
    assert names_novel(renamed(name="Ada")(reading), real).status == "failed"
    assert names_novel(renamed(name="José Krundar")(reading), real).status == "ok"


def test_real_first_words_of_companies_are_counted_and_no_more(reading: Reading) -> None:
    company = next(e.name for e in reading.entity_rows if e.type == "company")
    found = first_words_real(reading, replace(NO_NAMES, cities=frozenset({folded(company.split()[0])})))
    assert (found.status, found.failures) == ("note", 1)


def test_natural_names_are_noted_and_spare_the_others_no_check(reading: Reading) -> None:
    assert reading.spec is not None
    assert names_natural(reading, NO_NAMES).status == "skipped"
    raw = {**SPEC, "types": {**SPEC["types"], "person": {"names": "natural", "pronouns": "he_or_she", "block": 10}}}
    natural = replace(reading, spec=spec_from_dict(raw, "natural"))
    real = RealNames(frozenset({"ada"}), frozenset({"garcia"}), frozenset())
    people = renamed(name="Ada García")(natural)
    assert [check(people, real).status for check in (names_novel, names_natural)] == ["ok", "note"]
    assert names_natural(people, real).failures == 1
    assert names_novel(renamed(name="Garcia", type="company")(natural), real).status == "failed"


def test_the_lists_of_real_names_hold_names_of_several_locales() -> None:
    real = real_names()
    assert {"maria", "jurgen", "agnieszka"} <= real.first
    assert {"garcia", "muller", "nowak"} <= real.last
    assert {"bordeaux", "praha"} & real.cities
    assert all(name == folded(name) for name in real.last)


def test_names_and_texts_that_another_release_has_too_are_failures_of_another_world(reading: Reading) -> None:
    other = replace(reading, release=Release(reading.release.path, {**reading.release.manifest, "world": "00000000"}))
    for check in (names_apart_from, texts_apart_from):
        found = check(reading, other)
        assert (found.status, found.failures) == ("failed", found.counted)
        same = check(reading, reading)
        assert (same.status, same.failures) == ("note", same.counted)
        assert f"of the world {reading.release.world}" in same.reason
    strangers = replace(other, entity_rows=other.entity_rows[:0], parts=())
    assert [c(reading, strangers).status for c in (names_apart_from, texts_apart_from)] == ["ok", "ok"]


def test_the_levels_are_chance_over_the_values_and_the_share_of_the_commonest_answer(reading: Reading) -> None:
    found = {level.relation: level for level in levels(reading)}
    employer = found["employer"]
    stated = [fact.value for fact in reading.fact_rows if fact.relation == "employer"]
    assert (employer.facts, employer.values) == (len(stated), len(set(stated)))
    assert employer.chance == pytest.approx(1 / len(set(stated)))
    asked = Counter(
        reading.facts[row["fact_ids"][0]].value
        for style in ("qa", "cloze")
        for row in rows_of(reading, style, "test")
        if row["relation"] == "employer"
    )
    assert employer.rows == asked.total()
    assert employer.majority == pytest.approx(max(asked.values()) / asked.total())
    assert (found["compare.height"].values, found["compare.height"].chance) == (2, 0.5)
    assert found["employer.industry"].values == found["industry"].values
    assert found["reverse.mentor"].value_type == "entity"


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("we met ADA KRUL's sister", ["Ada Krul"]),
        ("Ada Krulov and the Ada-Krul Cup", ["Ada Krul Cup"]),
        ("Adam Krul, or Ada. krul", ["Ada Krul"]),
        ("nobody", []),
    ],
)
def test_names_are_found_by_their_words_the_longest_first(text: str, names: list[str]) -> None:
    assert NameIndex({"Ada Krul": "", "Ada Krul Cup": "the", "Bo": ""}).found_in(text) == names


def test_names_are_masked_with_their_article() -> None:
    index = NameIndex({"Ada Krul": "", "Ada Krul Cup": "the"})
    assert index.masked("Did Ada Krul win the Ada Krul Cup in the rain?") == "did · win · in the rain"


def test_the_possessive_of_a_masked_name_is_a_word_of_its_own_whatever_the_name_ends_in() -> None:
    index = NameIndex({"Ada Krul": "", "Bo Falls": ""})
    assert index.masked("Name Bo Falls' mayor.") == index.masked("Name Ada Krul's mayor.") == "name · s mayor"


def test_a_text_without_words_stands_nowhere() -> None:
    assert not holds(plain("anything"), plain("?!"))
    assert holds(plain("It is 45,000 crowns."), plain("45,000 crowns"))
    assert not holds(plain("It is 145,000 crowns."), plain("45,000"))


def test_a_tally_counts_all_failures_and_keeps_the_first_few() -> None:
    tally = Tally("name", "Sentence.")
    for number in range(9):
        tally.expect(number % 2 == 0, f"{number} " * 200)
    found = tally.check()
    assert (found.counted, found.failures, len(found.examples), found.status) == (9, 4, 3, "failed")
    assert found.examples[0].startswith("1 1 ")
    assert len(found.examples[0]) < 300


# ---- the command

COMMAND = typer.Typer()
COMMAND.command()(audit)


def corrupted_copy(release: Release, out: Path, corrupt: Corrupt) -> Path:
    """A release on disk with rows corrupted, and digests and manifest mended so that it opens."""
    reading = corrupt(read_release(release))
    manifest = json.loads(json.dumps(release.manifest))
    manifest["world"] = release.world
    tables = {(p.style, p.split): p.table for p in reading.parts}
    for file in manifest["files"]:
        key = (file["config"], file["split"])
        path = out / file["path"]
        table = tables.get(key)
        write_table(path, release.table(*key) if table is None else table)
        file["sha256"], file["content"] = file_sha256(path), content_digest(tables.get(key, release.table(*key)))
        manifest["splits"]["/".join(key)]["content"] = split_digest([file["content"]])
    write_json(out / MANIFEST, manifest)
    return out


def test_the_command_prints_a_line_a_check_and_writes_everything_as_json(release: Release, tmp_path: Path) -> None:
    result = CliRunner().invoke(COMMAND, [str(release.path), "--json", str(tmp_path / "audit.json")])
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    assert lines[-1].startswith(f"ok: {release.path} (world {release.world})")
    assert sum(line.startswith("ok ") for line in lines) > 25
    told = json.loads((tmp_path / "audit.json").read_text(encoding="utf-8"))
    assert told == json.loads(json.dumps(audit_release(release).to_dict()))
    assert (told["verdict"], told["release"]) == ("ok", release.digest)
    assert {level["relation"] for level in told["levels"]} >= {"height", "employer.industry"}


def test_the_command_fails_on_a_corrupted_release_and_shows_where(release: Release, tmp_path: Path) -> None:
    folder = corrupted_copy(release, tmp_path / "copy", change("qa", "test", "answers", other_value))
    result = CliRunner().invoke(COMMAND, [str(folder)])
    assert result.exit_code == 1
    assert "failed  answers_true" in result.output
    assert "is not among ['nonsense']" in result.output
    assert result.output.splitlines()[-1].startswith("failed: ")


def test_the_command_compares_with_another_release(release: Release) -> None:
    result = CliRunner().invoke(COMMAND, [str(release.path), "--against", str(release.path)])
    assert result.exit_code == 0
    assert "note    names_against" in result.output


def test_a_release_without_its_facts_is_refused(release: Release) -> None:
    manifest = {
        **release.manifest,
        "splits": {k: v for k, v in release.manifest["splits"].items() if k != "facts/train"},
    }
    with pytest.raises(ReleaseError, match="has no facts: have "):
        read_release(Release(release.path, manifest))


def test_progress_ends_where_it_said_it_would(release: Release) -> None:
    seen: list[tuple[int, int]] = []
    audit_release(release, release, lambda done, total: seen.append((done, total)))
    assert seen[-1][0] == seen[-1][1]
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert len({total for _, total in seen}) == 1


def test_the_phrasings_of_the_built_in_pack_that_a_release_uses_are_noted(tmp_path: Path) -> None:
    types = {"person": {"names": "mononym", "block": 4}}
    height = {"subject": "person", "value_type": "numeric", "least": 150, "most": 199, "unit": "cm"}
    spec = spec_from_dict(
        {"name": "one", "sizes": {"entities": 4}, "types": types, "relations": {"height": height}}, ""
    )
    made, _ = generate(Recipe(spec, "1", ("cloze", "statement")), tmp_path / "one")
    found = phrasings_used(read_release(open_release(tmp_path / "one")))
    used = {row["template_id"] for part in made.splits("cloze") for row in made.table("cloze", part).to_pylist()}
    assert found.status == "note"
    assert found.counted - found.failures >= len(used)
    assert asdict(found)["reason"]
