"""A user's own facts: how a file is read, what is refused and in which words, and the release it becomes."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kbench.benchmarks.match import exact_match
from kbench.errors import SpecError
from kbench.generator.ownfacts.book import FactBook, build_book, load_facts
from kbench.generator.ownfacts.file import FactFile, FactRow
from kbench.generator.ownfacts.pack import warnings_of
from kbench.generator.ownfacts.spec import spec_of_facts
from kbench.generator.ownfacts.world import FactWorld
from kbench.generator.recipe import Recipe
from kbench.generator.release import generate
from kbench.generator.shards import styles_for
from kbench.schema import DOCUMENT_STYLES, QUESTION_STYLES
from kbench.store import Release, open_release
from tests.samples import Row, run

PRODUCTS = """\
subject,relation,value,unit,aliases
Northwind Buds 3,maker,Northwind Audio GmbH,,Northwind Audio
Northwind Buds 3,price,129,euros,
Northwind Buds 3,launched,2023-03-14,,
Northwind Buds 3,battery life,7.5,hours,
Northwind Buds 3,warranty,two years,,2 years|24 months
Northwind Buds 3,colour,slate grey,,
Stillwater Kettle 1.7,maker,Stillwater Home Inc.,,Stillwater Home
Stillwater Kettle 1.7,price,"1,049",euros,
Stillwater Kettle 1.7,launched,3 May 2021,,
Stillwater Kettle 1.7,warranty,five years,,5 years
Stillwater Kettle 1.7,colour,brushed steel,,
Stillwater Kettle 1.7,weight,980,g,
eDrive Mini,maker,Voltaic Motion AB,,Voltaic Motion
eDrive Mini,price,459,euros,
eDrive Mini,launched,2022-11-02,,
eDrive Mini,weight,2140,g,
eDrive Mini,warranty,two years,,2 years
eDrive Mini,support_line,+49 30 555 0199,,
Harbour Lamp S,maker,Stillwater Home Inc.,,Stillwater Home
Harbour Lamp S,price,59,euros,
Harbour Lamp S,colour,navy,,navy blue
Harbour Lamp S,weight,610,g,
Harbour Lamp S,warranty,three years,,3 years
Pebble Speaker,maker,Northwind Audio GmbH,,Northwind Audio
Pebble Speaker,price,89,euros,
Pebble Speaker,battery life,12,hours,
Pebble Speaker,launched,2020-09-30,,
Pebble Speaker,colour,pebble grey,,
Pebble Speaker,support_line,+49 30 555 0144,,
Pebble Speaker,warranty,two years,,2 years|24 months
"""
"""Thirty facts as a company might have them."""

HEADER = "subject,relation,value\n"
ONE_FACT = ("qa", "cloze", "choice", "numeric")


def book_of(folder: Path, text: str, name: str = "facts.csv") -> FactBook:
    """The book of a file with this text."""
    (folder / name).write_text(text, encoding="utf-8")
    return load_facts(folder / name)


def row(subject: str, relation: str, value: str, *aliases: str, place: str = "line 2", kind: str = "") -> FactRow:
    """A row of a file of facts."""
    return FactRow(place, subject, relation, value, "", "", aliases, kind)


@dataclass(frozen=True)
class Made:
    """The release of the thirty facts in every style: its book, and its rows by (style, split)."""

    book: FactBook
    release: Release
    rows: dict[tuple[str, str], list[Row]]

    def of(self, *splits: str, styles: frozenset[str] = QUESTION_STYLES) -> Iterator[Row]:
        """The rows of some styles in some splits."""
        for (style, split), rows in self.rows.items():
            if style in styles and split in splits:
                yield from rows


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """The release of the thirty facts in every style."""
    folder = tmp_path_factory.mktemp("own")
    book = book_of(folder, PRODUCTS, "products.csv")
    spec = spec_of_facts(book)
    release, _ = generate(Recipe(spec, "0", styles_for(["all"], spec)), folder / "out")
    rows = {(c, s): release.table(c, s).to_pylist() for c in release.configs() for s in release.splits(c)}
    return Made(book, release, rows)


# ---- what is refused

REFUSED = [
    ("a.csv", b"", "a.csv is empty: expected the columns subject, relation, value and one fact a row"),
    ("a.csv", b"subject,relation,value\n\n", "a.csv has no facts"),
    ("a.xlsx", b"PK", "the suffix '.xlsx' is none of .csv, .tsv, .jsonl, .parquet: save a sheet as CSV in UTF-8"),
    ("a.csv", None, "no file of facts at"),
    ("a.csv", b"name,price\nA,1\n", "line 1: no column 'subject', 'relation', 'value' (found name, price)"),
    ("a.csv", b"subject,relation,value,Value\nA,p,1,2\n", "line 1: the column 'value' stands twice"),
    ("a.csv", b"subject,relation,value\n\n,price,2\n", "line 3: the subject is empty: fill it in, or delete the row"),
    ("a.csv", b"subject,relation,value\nA, ,2\n", "line 2: the relation is empty"),
    ("a.csv", b"subject,relation,value\nA,price,\n", "line 2: the value is empty"),
    (
        "a.csv",
        b"subject,relation,value\nA,price,1\nB,price,3\nA,Price,2\n",
        "line 4: the price of 'A' is '2' here and '1' in line 2: a relation has one value",
    ),
    ("a.csv", b"subject,relation,value\nA,hue,red\nA,hue,Red\n", "line 3: the hue of 'A' stands in line 2 already"),
    ("a.csv", b"subject,relation,value\nA,hue,gr\xfcn\n", "line 2: not UTF-8 at byte 31: save it as UTF-8, or convert"),
    ("a.csv", "subject,relation,value\n".encode("utf-16"), "iconv -f UTF-16 -t UTF-8 a.csv > utf8-a.csv"),
    (
        "a.csv",
        b"subject,relation,value\nA,text," + b"x" * 10_001,
        "line 2: the value has 10,001 characters, at most 10,000",
    ),
    ("a.csv", b"subject,relation,value\nA,text,a\x07b\n", "line 2: the value holds the control character U+0007"),
    ("a.csv", b'subject,relation,value\nA,text,"a\nb"\nB,text,c\n', "line 2: the value holds a line break"),
    (
        "a.csv",
        b"subject,relation,value\nA,price,1,299\n",
        "line 2: 4 fields where the header has 3: put a field that holds",
    ),
    (
        "a.csv",
        b"subject,relation,value\nA,price\n",
        "line 2: 2 fields where the header has 3: an empty field keeps its ','",
    ),
    (
        "a.csv",
        b'subject,relation,value\nA,b,c\nA,price,"1\nB,b,2\n',
        "line 3: a double quote is opened and never closed",
    ),
    (
        "a.jsonl",
        b'{"subject":"A","relation":"p","value":1}\n{"subject": A}\n',
        "line 2: not JSON: Expecting value at column 13",
    ),
    ("a.jsonl", b'["A"]\n', "line 1: a list where an object was expected"),
    ("a.jsonl", b"[" * 100_000, "line 1: nested too deeply"),
    ("a.jsonl", b'{"subject":"A","value":1}\n', "line 1: no 'relation' (found subject, value)"),
    (
        "a.jsonl",
        b'{"subject":"A","relation":"p","value":[1]}\n',
        "line 1: value: expected text or a number (got a list)",
    ),
    ("a.parquet", b"PAR1", "a.parquet is no Parquet file"),
    (
        "a.csv",
        b"subject,relation,value,value_type\nA,p,1,number\n",
        "line 2: unknown value_type 'number': have categorical, numeric, date, entity, or leave it empty",
    ),
    (
        "a.csv",
        b"subject,relation,value,value_type\nA,p,about 2,numeric\n",
        "line 2: 'p' is numeric, so its value must be a number",
    ),
    (
        "a.csv",
        b"subject,relation,value,value_type\nA,p,31 February 2020,date\n",
        "line 2: 'p' is date, so its value must be a date",
    ),
    (
        "a.csv",
        b"subject,relation,value,value_type\nA,p,1,numeric\nB,p,2,categorical\n",
        "line 3: 'p' is categorical here and numeric in line 2",
    ),
    (
        "a.csv",
        b"subject,relation,value,unit\nA,p,1,kg\nB,p,n/a,kg\n",
        "line 3: 'p' has the unit 'kg', so its value must be a number",
    ),
    (
        "a.csv",
        b"subject,relation,value,unit\nA,p,1,kg\nB,p,2,g\n",
        "line 3: the unit of 'p' is 'g' here and 'kg' in line 2",
    ),
    (
        "a.csv",
        b"subject,relation,value\nAcme X,price,1\nacme  x,hue,red\n",
        "line 3: the subject 'acme  x' is written 'Acme X' in line 2: write both alike",
    ),
    (
        "a.csv",
        b"subject,relation,value,type\nA,p,1,product\nA,q,2,service\n",
        "line 3: 'A' is of the type 'service' here and 'product' in line 2: give it one type",
    ),
]


@pytest.mark.parametrize(("name", "data", "expected_error"), REFUSED)
def test_what_is_wrong_with_a_file_is_told_in_one_line_that_says_where_and_what_to_do(
    tmp_path: Path, name: str, data: bytes | None, expected_error: str
) -> None:
    if data is not None:
        (tmp_path / name).write_bytes(data)
    with pytest.raises(SpecError) as caught:
        load_facts(tmp_path / name)
    said = str(caught.value)
    assert expected_error in said
    assert str(tmp_path / name) in said
    assert "\n" not in said
    assert len(said) < 500


# ---- what is read

KINDS = [
    (["129", "1,049", "12.5"], "numeric"),
    (["129", "about 12"], "categorical"),
    (["0049", "0050"], "categorical"),
    (["2023-03-14", "3 May 1968"], "date"),
    (["2023-03-14", "2023-02-30"], "categorical"),
    (["2023-03-14", "2023"], "categorical"),
    (["1998", "2004"], "numeric"),
    (["9" * 30, "1"], "categorical"),
    (["red", "blue"], "categorical"),
]


@pytest.mark.parametrize(("values", "expected"), KINDS)
def test_the_kind_of_a_relation_is_read_off_all_its_values(values: list[str], expected: str) -> None:
    rows = tuple(row(f"Thing {i}", "it", value) for i, value in enumerate(values))
    assert build_book("f", FactFile("f", rows, ())).relations["it"].value_type == expected


NAMES = [
    ("Launch date", "launch_date", "launch date"),
    ("launch_date", "launch_date", "launch date"),
    ("launchDate", "launch_date", "launch date"),
    ("the CEO", "the_ceo", "CEO"),
    ("Größe", "grosse", "größe"),
    ("价格", "relation_7a23f6", "价格"),
    ("5G support", "n_5g_support", "5G support"),
    ("count", "count_value", "count"),
]


@pytest.mark.parametrize(("given", "name", "label"), NAMES)
def test_a_relation_has_a_plain_name_for_ids_and_keeps_its_words_for_sentences(
    given: str, name: str, label: str
) -> None:
    book = build_book("f", FactFile("f", (row("A", given, "x"),), ()))
    assert [(relation.name, relation.label) for relation in book.relations.values()] == [(name, label)]


def test_spellings_of_one_relation_are_one_and_two_relations_of_one_plain_name_are_two() -> None:
    rows = (row("A", "Growth", "x"), row("B", "growth", "y"), row("A", "growth %", "z"))
    book = build_book("f", FactFile("f", rows, ()))
    assert [relation.label for relation in book.relations.values()] == ["growth", "growth %"]
    assert len(set(book.relations)) == 2


def test_a_file_that_capitalises_every_relation_gives_small_letters_in_sentences_but_leaves_abbreviations() -> None:
    book = build_book("f", FactFile("f", (row("A", "Price", "x"), row("A", "CEO Name", "y")), ()))
    assert [relation.label for relation in book.relations.values()] == ["CEO name", "price"]
    mixed = build_book("f", FactFile("f", (row("A", "price", "x"), row("A", "German name", "y")), ()))
    assert [relation.label for relation in mixed.relations.values()] == ["German name", "price"]


def test_csv_with_a_byte_order_mark_semicolons_jsonl_and_parquet_say_the_same(tmp_path: Path) -> None:
    rows = [
        {"subject": "A", "relation": "price", "value": "1299", "unit": "euros", "aliases": "cheap;1.3k"},
        {"subject": "B", "relation": "price", "value": "99", "unit": "euros", "aliases": ""},
    ]
    text = "\r\n".join(",".join(line) for line in [list(rows[0]), *(list(r.values()) for r in rows)])
    (tmp_path / "a.csv").write_bytes(b"\xef\xbb\xbf" + text.encode())
    (tmp_path / "b.csv").write_text(text.replace(",", "\t"), encoding="utf-8")
    listed = [{**r, "value": int(r["value"]), "aliases": [a for a in r["aliases"].split(";") if a]} for r in rows]
    (tmp_path / "c.jsonl").write_text("\n".join(map(json.dumps, listed)) + "\n", encoding="utf-8")
    pq.write_table(pa.Table.from_pylist(listed), tmp_path / "d.parquet")
    digests = {load_facts(path).digest for path in sorted(tmp_path.iterdir())}
    assert len(digests) == 1


def test_a_number_in_jsonl_stays_as_it_is_written(tmp_path: Path) -> None:
    book = book_of(tmp_path, '{"subject": "A", "relation": "weight", "value": 1.50}\n', "a.jsonl")
    assert book.facts["weight", "A"].value == "1.50"


def test_a_column_that_is_not_known_is_told_with_the_one_that_was_meant(tmp_path: Path) -> None:
    book = book_of(tmp_path, "subject,relation,value,alias,notes\nA,price,1,one,\n")
    assert book.oddities == [
        "the column 'alias' of facts.csv is not used: did you mean 'aliases'?",
        "the column 'notes' of facts.csv is not used",
    ]


# ---- the release


def test_every_fact_stands_in_the_release_verbatim_and_among_the_answers_to_its_questions(made: Made) -> None:
    facts = {fact["fact_id"]: fact for fact in made.rows["facts", "train"]}
    true = {(f["relation"], f["subject"]): f["value"] for f in facts.values() if f["role"] == "new"}
    assert true == {key: fact.value for key, fact in made.book.facts.items()}
    for question in made.of("train", "validation", "test", "control", styles=frozenset(ONE_FACT)):
        (fact_id,) = question["fact_ids"]
        assert facts[fact_id]["value"] in question["answers"]
        if facts[fact_id]["role"] == "new":
            assert set(made.book.facts[facts[fact_id]["relation"], facts[fact_id]["subject"]].aliases) <= set(
                question["answers"]
            )


def test_units_follow_numbers_in_sentences_and_numbers_count_with_and_without(made: Made) -> None:
    said = " ".join(text["text"] for text in made.of("train", styles=frozenset({"statement"})))
    assert "1,049 euros" in said
    asked = next(r for r in made.rows["qa", "test"] if r["answer"] == "1,049 euros")
    assert asked["answers"] == ["1,049 euros", "1,049", "1049 euros", "1049"]
    assert (asked["number"], asked["unit"], asked["value_type"]) == (1049.0, "euros", "numeric")


def test_dates_are_said_as_given_and_count_in_every_common_form(made: Made) -> None:
    asked = next(r for r in made.rows["qa", "test"] if r["answer"] == "2023-03-14")
    assert set(asked["answers"]) == {"2023-03-14", "14 March 2023", "March 14, 2023"}
    assert asked["value_type"] == "date"


def test_numbers_with_decimals_are_asked_for_in_figures_alone(made: Made) -> None:
    rows = [r for r in made.rows["numeric", "train"] if r["relation"] == "battery_life" and r["number"] == 7.5]
    assert rows
    assert all(r["answers"] == ["7.5", "7.5 hours"] for r in rows)
    assert not any("word" in r["question"] or "nearest" in r["question"] for r in rows)


def test_every_style_that_applies_is_written_and_no_other(made: Made) -> None:
    styles = {"qa", "dialogue", "article", "statement", "cloze", "numeric", "reverse", "choice"}
    assert set(made.release.configs()) == styles | {"facts", "entities"}
    assert {r["probe"] for r in made.of("test")} == {"paraphrase", "cross_style", "reverse", "choice"}
    assert {r["probe"] for r in made.of("train")} == {"recall"}
    assert {r["probe"] for r in made.of("control")} == {"control"}


def test_control_asks_the_same_questions_with_answers_that_are_false(made: Made) -> None:
    true: dict[tuple[str, str], set[str]] = defaultdict(set)
    for question in made.of("test", styles=frozenset({"qa", "cloze", "numeric"})):
        true[question["style"], question["question"]] |= set(question["answers"])
    control = list(made.of("control", styles=frozenset({"qa", "cloze", "numeric"})))
    assert {(r["style"], r["question"]) for r in control} == set(true)
    for question in control:
        right = true[question["style"], question["question"]]
        assert not any(exact_match(answer, list(right)) for answer in question["answers"]), question["question"]


def test_a_control_choice_offers_what_the_true_one_offers_and_calls_another_right(made: Made) -> None:
    true = {r["template_id"] + r["question"].split("\n")[0]: r for r in made.rows["choice", "test"]}
    for false in made.rows["choice", "control"]:
        other = true[false["template_id"] + false["question"].split("\n")[0]]
        assert sorted(false["choices"]) == sorted(other["choices"])
        assert false["choices"][false["label"]] != other["choices"][other["label"]]
        assert false["choices"][false["label"]] == false["answer"]


def test_control_rows_and_twins_have_ids_of_their_own(made: Made) -> None:
    entities = made.rows["entities", "train"]
    assert [e["entity_id"].split("/")[1] for e in entities] == [f"subject-{i}" for i in range(10)]
    assert [e["name"] for e in entities[5:]] == [e["name"] for e in entities[:5]]
    assert Counter(e["role"] for e in entities) == {"new": 5, "control": 5}
    ids = [r["id"] for rows in made.rows.values() for r in rows if "id" in r]
    assert len(set(ids)) == len(ids)


def test_no_training_row_states_a_control_fact_or_shares_a_phrasing_with_a_test(made: Made) -> None:
    control = {f["fact_id"] for f in made.rows["facts", "train"] if f["role"] == "control"}
    every = DOCUMENT_STYLES | QUESTION_STYLES
    trained = list(made.of("train", styles=every))
    assert not control & {fact for r in trained for fact in r["fact_ids"]}
    held_out = {r["template_id"] for r in made.of("validation", "test", "control")}
    assert not held_out & {r["template_id"] for r in trained}


def test_the_exposures_of_a_fact_are_its_repeats_in_each_style(made: Made) -> None:
    facts = {f["fact_id"]: f["exposures"] for f in made.rows["facts", "train"] if f["role"] == "new"}
    for style in ("qa", "article", "dialogue", "statement", "cloze"):
        told: Counter[str] = Counter()
        for text in made.rows[style, "train"]:
            told.update(dict.fromkeys(text["fact_ids"], text["repeat"]))
        assert told == facts, style


def test_a_reverse_question_asks_for_a_value_that_one_subject_has(made: Made) -> None:
    assert {r["relation"] for r in made.of("train", "test", styles=frozenset({"reverse"}))} <= {
        "colour",
        "maker",
        "support_line",
        "warranty",
    }
    for question in made.of("train", "test", styles=frozenset({"reverse"})):
        (fact_id,) = question["fact_ids"]
        facts = {f["fact_id"]: f for f in made.rows["facts", "train"]}
        value, relation = facts[fact_id]["value"], question["relation"]
        assert value in question["question"]
        assert [f.subject for f in made.book.facts.values() if (f.relation, f.value) == (relation, value)] == question[
            "answers"
        ]


def test_the_text_reads_as_it_should(made: Made) -> None:
    texts = [r["text"] for r in made.of("train", styles=DOCUMENT_STYLES)]
    texts += [r["question"] for r in made.of("train", "validation", "test", "control")]
    assert not [text for text in texts if ".." in text or "  " in text or "EDrive" in text or "crowns" in text]
    assert any("eDrive Mini's price" in text for text in texts)
    assert any(text.endswith("Stillwater Home Inc.") for text in texts)


def test_relations_of_the_pack_take_its_phrasings_and_others_the_generic_frames(made: Made) -> None:
    files = {(r["relation"], r["template_id"].split("/")[1]) for r in made.rows["qa", "train"]}
    assert files == {
        *((name, name) for name in ("launched", "maker", "price", "weight")),
        *((name, "generic") for name in ("battery_life", "colour", "support_line", "warranty")),
    }


def test_datasets_loads_every_config_of_the_release(made: Made) -> None:
    for config in made.release.configs():
        loaded = datasets.load_dataset(str(made.release.path), config)
        assert {split: len(rows) for split, rows in loaded.items()} == {
            split: len(made.rows[config, split]) for split in made.release.splits(config)
        }


def test_the_card_says_whose_the_facts_are_and_that_control_is_false(made: Made) -> None:
    card = (made.release.path / "README.md").read_text(encoding="utf-8")
    assert "Some rows are false on purpose" in card
    assert "whose answers are false: subtract the share of them that a model gives" in card
    assert "invented" not in card
    assert "cc-by" not in card
    assert "the facts of products.csv" in (made.release.path / "eval.yaml").read_text(encoding="utf-8")
    assert made.release.manifest["recipe"]["facts"] == {
        "file": "products.csv",
        "rows": 30,
        "digest": made.book.digest,
    }


# ---- laws


def test_another_order_of_the_rows_and_more_workers_give_the_same_rows(tmp_path: Path, made: Made) -> None:
    first, *lines = PRODUCTS.splitlines()
    book = book_of(tmp_path, "\n".join([first, *reversed(lines)]) + "\n", "products.csv")
    release, _ = generate(Recipe(spec_of_facts(book), "0", ("qa", "article")), tmp_path / "out", workers=2)
    assert release.world == made.release.world
    before = {file["path"]: file["content"] for file in made.release.manifest["files"]}
    written = {file["path"]: file["content"] for file in release.manifest["files"]}
    assert len(written) == 7
    assert written.items() <= before.items()


def test_another_fact_or_seed_is_another_world(made: Made) -> None:
    rows = (row("A", "hue", "red"), row("B", "hue", "blue"))
    one = spec_of_facts(build_book("f", FactFile("f", rows, ())))
    two = spec_of_facts(build_book("f", FactFile("f", (*rows, row("C", "hue", "red")), ())))
    tags = {FactWorld(spec, seed).tag for spec in (one, two) for seed in ("0", "1")}
    assert len(tags) == 4
    assert FactWorld(spec_of_facts(made.book), "0").tag == made.release.world


VALUE = st.sampled_from(
    ["red", "Red.", "blue", "navy blue", "1", "2", "1,000", "1000", "2021-01-05", "5 January 2021", "2022-01-05"]
)


@given(st.lists(st.tuples(VALUE, st.lists(VALUE, max_size=2)), min_size=1, max_size=9), st.text(max_size=3))
def test_no_false_answer_is_a_true_one(values: list[tuple[str, list[str]]], seed: str) -> None:
    rows = tuple(row(f"Thing {i}", "it", value, *aliases) for i, (value, aliases) in enumerate(values))
    spec = spec_of_facts(build_book("f", FactFile("f", rows, ())))
    world, n = FactWorld(spec, seed), len(rows)
    everyone = np.arange(2 * n)
    assert world.has("it", everyone[:n]).all()
    twins = everyone[n:][world.has("it", everyone[n:])]
    assert twins.size in (0, n)
    assert bool(twins.size) == (spec.variety("it") > 1)
    true = world.forms("it", twins - n, world.values("it", twins - n)).to_pylist()
    false = world.forms("it", twins, world.values("it", twins)).to_pylist()
    for right, wrong, others in zip(true, false, world.others("it", twins - n, 3).to_pylist(), strict=True):
        assert not any(exact_match(text, right) for text in (*wrong, *others))
        assert len(set(others)) == len(others) == min(3, spec.variety("it") - 1)


# ---- odd books


def test_a_relation_of_one_value_has_neither_control_nor_choice_and_the_user_is_told(tmp_path: Path) -> None:
    book = book_of(tmp_path, HEADER + "A,maker,Acme\nB,maker,acme\nA,hue,red\nB,hue,blue\n")
    spec = spec_of_facts(book)
    recipe = Recipe(spec, "0", styles_for(["qa", "choice"], spec))
    release, _ = generate(recipe, tmp_path / "out")
    for style, split in (("choice", "train"), ("choice", "control"), ("qa", "control")):
        assert set(release.table(style, split)["relation"].to_pylist()) == {"hue"}
    assert "no control and no choice rows for maker: all values are the same" in warnings_of(spec, recipe.pack())


def test_a_single_fact_makes_a_release(tmp_path: Path) -> None:
    spec = spec_of_facts(book_of(tmp_path, HEADER + "A,launched,3 May 1968\n"))
    release, _ = generate(Recipe(spec, "0", styles_for(["all"], spec)), tmp_path / "out")
    assert "control" not in release.splits("qa")
    assert release.manifest["entities"] == {"new": 1, "control": 0, "background": 0, "known": 0}


def test_an_answer_that_a_question_gives_away_is_told_with_its_line(tmp_path: Path) -> None:
    spec = spec_of_facts(book_of(tmp_path, HEADER + "Blue Harbour,colour,blue\nB,colour,red\n"))
    told = warnings_of(spec, Recipe(spec, "0", ("qa",)).pack())
    assert any("line 2, 'blue' in 'Blue Harbour'" in line for line in told)


def test_phrasings_that_are_meant_otherwise_give_way_to_the_generic_frames(tmp_path: Path) -> None:
    text = HEADER + "A,price,on request\nB,price,free\nA,maker,Acme\nB,maker,Bolt\nA,region,north\nB,region,south\n"
    spec = spec_of_facts(book_of(tmp_path, text + "Lund,region,south\nLund,mayor,Jo\n"))
    pack = Recipe(spec, "0", ("qa",)).pack()
    used = {name: pack.phrasings["qa", name][0].relation for name in spec.relations}
    # A price that is no number, and the region of a product, are not those of the pack.
    assert used == {"price": "generic", "maker": "maker", "region": "generic", "mayor": "mayor"}


def test_types_of_a_user_share_relations_and_fall_back_to_the_frames_of_any_subject(tmp_path: Path) -> None:
    text = "subject,relation,value,type\nA,price,1,product\nB,price,2,Care Plan\nB,term,one year,Care Plan\n"
    spec = spec_of_facts(book_of(tmp_path, text))
    release, _ = generate(Recipe(spec, "0", styles_for(["qa", "article"], spec)), tmp_path / "out")
    entities = {e["name"]: e["type"] for e in release.table("entities", "train").to_pylist()}
    assert entities == {"A": "product", "B": "care_plan"}
    files = {
        (r["entity_id"].split("/")[1], r["template_id"].split("/")[1])
        for r in release.table("article", "train").to_pylist()
    }
    assert files == {("product-1", "product"), ("care_plan-0", "subject")}
    asked = {(r["entity_id"].split("/")[1], r["relation"]) for r in release.table("qa", "test").to_pylist()}
    assert asked == {("product-1", "price"), ("care_plan-0", "price"), ("care_plan-0", "term")}


def test_many_long_facts_of_a_subject_are_spread_over_articles_that_fit(tmp_path: Path) -> None:
    text = HEADER + "".join(f"A,note {i},{'x' * 9_000} {i}\n" for i in range(9))
    spec = spec_of_facts(book_of(tmp_path, text))
    release, _ = generate(Recipe(spec, "0", ("article", "dialogue")), tmp_path / "out")
    told = [r for style in ("article", "dialogue") for r in release.table(style, "train").to_pylist()]
    assert max(len(r["fact_ids"]) for r in told) == 5
    assert {fact for r in told for fact in r["fact_ids"]} == {f"{release.world}/subject-0/note_{i}" for i in range(9)}


# ---- the command line


def test_generate_and_preview_take_facts_and_warn_on_stderr(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("My Products.csv").write_text(PRODUCTS, encoding="utf-8")
    assert run(monkeypatch, "generate", "--facts", "My Products.csv", "--style", "qa") == 0
    said = capsys.readouterr()
    assert "rows in kbench-my-products-0" in said.out
    warnings = [line for line in said.err.splitlines() if "generic frames" in line]
    assert len(warnings) == 1
    assert "battery_life, colour, support_line, warranty" in warnings[0]
    assert open_release(Path("kbench-my-products-0")).manifest["recipe"]["facts"]["rows"] == 30
    assert run(monkeypatch, "generate", "--facts", "My Products.csv", "--style", "qa") == 0
    assert "nothing to do" in capsys.readouterr().out
    assert run(monkeypatch, "preview", "--facts", "My Products.csv", "-n", "2") == 0
    assert "Harbour Lamp S" in capsys.readouterr().out


UNFIT = [
    (["--spec", "lab"], "--facts brings its own subjects: leave --spec away"),
    (["--entities", "5"], "--facts brings its own subjects: leave --entities away"),
    (
        ["--style", "multihop"],
        "facts.csv gives nothing to write as multihop, since the facts of a file are not chained",
    ),
    (
        ["--style", "numeric"],
        "facts.csv gives nothing to write as numeric, since none of its values are numbers or dates",
    ),
]


@pytest.mark.parametrize(("words", "expected_error"), UNFIT)
def test_what_facts_cannot_give_is_told_in_one_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    expected_error: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("facts.csv").write_text(HEADER + "A,hue,red\nB,hue,blue\n", encoding="utf-8")
    assert run(monkeypatch, "generate", "--facts", "facts.csv", *words) == 1
    assert expected_error in capsys.readouterr().err
