"""What a recipe teaches: every method keeps what it promises, and no row of a held-out split is ever read."""

import copy
import json
import random
import shutil
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import PreTrainedTokenizerFast

from kbench.benchmarks.diet import IDK, Diet
from kbench.benchmarks.examples import examples_of
from kbench.benchmarks.knownness import label_facts
from kbench.benchmarks.labels import labels_of
from kbench.benchmarks.models.baselines import Oracle
from kbench.benchmarks.packing import IGNORED, PackedRows, training_rows
from kbench.benchmarks.permute import orders_of, sentences_of
from kbench.benchmarks.phrasings import fewer_phrasings
from kbench.benchmarks.prompts import completion_of, prompt_of
from kbench.benchmarks.recipe import LABELS, TrainRecipe
from kbench.benchmarks.replay import texts_in
from kbench.benchmarks.slick import Slick
from kbench.benchmarks.watched import watched_rows
from kbench.errors import KbenchError, ReleaseError, SpecError
from kbench.generator.recipe import Recipe
from kbench.generator.release import generate
from kbench.schema import DOCUMENT_STYLES
from kbench.store import Release
from kbench.studies.lab import release_texts
from kbench.studies.tokenizer import word_tokenizer
from tests.samples import HELD_OUT, Row, tiny

STYLES = ("qa", "article", "statement", "cloze")


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Release:
    spec = tiny(exposure__reversals=2, exposure__implications=1, exposure__paraphrases=4, exposure__exposures=9)
    return generate(Recipe(spec, "7", STYLES), tmp_path_factory.mktemp("diet"))[0]


@pytest.fixture(scope="module")
def tokenizer(release: Release) -> PreTrainedTokenizerFast:
    return word_tokenizer([*(text for texts in release_texts(release).values() for text in texts), f"a {IDK}"])


@pytest.fixture(scope="module")
def labels(release: Release, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of labels: of the facts in turn the four labels."""
    facts = release.table("facts", "train").column("fact_id").to_pylist()
    return write_labels(tmp_path_factory.mktemp("labels"), release, {f: LABELS[k % 4] for k, f in enumerate(facts)})


def write_labels(folder: Path, release: Release, found: Mapping[str, str], digest: str = "") -> Path:
    table = pa.table({"fact_id": list(found), "label": list(found.values()), "n": [1] * len(found)})
    pq.write_table(table, folder / "knownness.parquet")
    about = {"release": {"digest": digest or release.digest}}
    (folder / "knownness.json").write_text(json.dumps(about), encoding="utf-8")
    return folder


def shown(rows: PackedRows, tokenizer: PreTrainedTokenizerFast, first: int = 0, last: int | None = None) -> list[str]:
    """The texts of packed rows as they are read, without padding."""
    found = []
    for row in rows.rows[first:last]:
        tokens = row["input_ids"].tolist()
        starts = [place for place, position in enumerate(row["position_ids"].tolist()) if position == 0]
        for start, end in zip(starts, [*starts[1:], len(tokens)], strict=True):
            text = tokens[start:end]
            if set(text) != {rows.pad}:
                assert text.index(rows.pad) in (len(text) - 1, *range(len(text) - 8, len(text)))
                found.append(str(tokenizer.decode(text[: text.index(rows.pad)])))
    return found


def text_of(row: Row) -> str:
    return str(row["text"]) if row["style"] in DOCUMENT_STYLES else prompt_of(row) + completion_of(row)


def train(release: Release, *styles: str) -> list[Row]:
    return [row for style in styles for row in release.table(style, "train").to_pylist()]


def exposures(rows: list[Row]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for row in rows:
        for fact in row["fact_ids"]:
            counts[fact] += row["repeat"]
    return counts


def recipe(**changes: Any) -> TrainRecipe:
    return TrainRecipe(**{"context": 128, **changes})


def test_one_epoch_without_an_order_reads_what_it_always_read(
    release: Release, tokenizer: PreTrainedTokenizerFast
) -> None:
    """Every row as often as it repeats, drawn into one order by the seed, laid end to end."""
    rows = training_rows(release, tokenizer, recipe(styles=("qa", "article"), seed=5))
    examples = [e for s in ("qa", "article") for e in examples_of(release, s, "train", tokenizer, "answer")]
    order = [e for e in examples for _ in range(e.repeat)]
    random.Random(5).shuffle(order)
    read = [
        (t, label)
        for row in rows.rows
        for t, label in zip(row["input_ids"].tolist(), row["labels"].tolist(), strict=True)
    ]
    wanted: list[tuple[int, int]] = []
    for e in order:
        if len(wanted) % 128 + len(e.tokens) > 128:
            wanted += [(rows.pad, IGNORED)] * (128 - len(wanted) % 128)
        wanted += [(t, IGNORED if k < max(1, e.prompt) else t) for k, t in enumerate(e.tokens)]
    wanted += [(rows.pad, IGNORED)] * (-len(wanted) % 128)
    assert read == wanted
    assert not rows.ordered
    assert rows.epochs == (len(rows),)


def test_every_epoch_holds_every_row_in_an_order_of_its_own(
    release: Release, tokenizer: PreTrainedTokenizerFast
) -> None:
    rows = training_rows(release, tokenizer, recipe(styles=("qa", "statement"), epochs=3, replay=0.2))
    once = training_rows(release, tokenizer, recipe(styles=("qa", "statement"), replay=0.2))
    taught = Counter({text_of(row): row["repeat"] for row in train(release, "qa", "statement")})
    texts = [shown(rows, tokenizer, *ends) for ends in zip((0, *rows.epochs), rows.epochs, strict=False)]
    assert rows.ordered
    assert len(texts) == 3
    assert texts[0] == shown(once, tokenizer)
    assert texts[0] != texts[1] != texts[2]
    background = {text_of(r) for s in release.configs() for r in _pretrain(release, s)}
    for epoch in texts:
        read = Counter(epoch)
        assert all(read[text] == repeat for text, repeat in taught.items())
        assert set(read) - set(taught) <= background


def _pretrain(release: Release, style: str) -> list[Row]:
    return release.table(style, "pretrain").to_pylist() if "pretrain" in release.splits(style) else []


@pytest.mark.parametrize("style", STYLES)
def test_fewer_phrasings_are_among_more_and_no_fact_loses_an_exposure(release: Release, style: str) -> None:
    rows = train(release, style)
    kept: set[str] = set()
    for most in range(1, 6):
        fewer = fewer_phrasings(rows, most)
        assert exposures(fewer) == exposures(rows), most
        assert kept <= {row["id"] for row in fewer}
        kept = {row["id"] for row in fewer}
        said = Counter((fact, row.get("kind"), row["relation"]) for row in fewer for fact in row["fact_ids"])
        assert max(said.values()) <= most
    assert kept == {row["id"] for row in rows}


@given(
    st.lists(st.tuples(st.sampled_from(["f", "g", "h"]), st.integers(1, 9)), min_size=1, max_size=30),
    st.integers(1, 8),
)
def test_phrasings_of_any_repeats_keep_the_sum_of_each_fact(told: list[tuple[str, int]], most: int) -> None:
    rows = [
        {"id": f"{k}", "fact_ids": [fact], "entity_id": "e", "relation": "r", "template_id": f"qa/r/{k}", "repeat": n}
        for k, (fact, n) in enumerate(told)
    ]
    fewer = fewer_phrasings(rows, most)
    assert exposures(fewer) == exposures(rows)
    assert {row["id"] for row in fewer} <= {row["id"] for row in fewer_phrasings(rows, most + 1)}
    assert all(row["repeat"] >= 1 for row in fewer)


@pytest.mark.parametrize("wanted", [1, 3, 8, 20])
def test_each_fact_is_shown_as_often_as_exposures_says_in_as_many_phrasings_as_that_lets(wanted: int) -> None:
    rows = [
        {"id": f"{fact}{k}", "fact_ids": [fact], "entity_id": "e", "relation": "r", "template_id": f"{k}", "repeat": 2}
        for fact in "fg"
        for k in range(8)
    ]
    shown = fewer_phrasings(rows, None, wanted)
    assert exposures(shown) == Counter({"f": wanted, "g": wanted})
    assert len(shown) == 2 * min(wanted, 8)
    assert max(row["repeat"] for row in shown) - min(row["repeat"] for row in shown) <= 1
    assert len(fewer_phrasings(rows, 4, wanted)) == 2 * min(wanted, 4)


def test_permuted_documents_say_the_same_as_often_and_name_their_subject_first(
    release: Release, tokenizer: PreTrainedTokenizerFast
) -> None:
    plain = training_rows(release, tokenizer, recipe(styles=("article",), epochs=2))
    mixed = training_rows(release, tokenizer, recipe(styles=("article",), epochs=2, permutations=3))
    names = {row["entity_id"]: row["name"] for row in release.table("entities", "train").to_pylist()}
    values = {row["fact_id"]: row["value"] for row in release.table("facts", "train").to_pylist()}

    def said(text: str) -> tuple[str, ...]:
        return tuple(sorted(part for part, _ in sentences_of(text, values.values()) or ()))

    before, after = Counter(shown(plain, tokenizer)), Counter(shown(mixed, tokenizer))
    assert len(after) > 2 * len(before)
    by_words, again = Counter[tuple[str, ...]](), Counter[tuple[str, ...]]()
    for counts, total in ((before, by_words), (after, again)):
        for text, times in counts.items():
            total[said(text)] += times
    assert by_words == again
    wordings = defaultdict[str, set[str]](set)
    diet = Diet(release, recipe(styles=("article",), permutations=3))
    for lesson in diet.lessons("article"):
        for row in lesson.wordings:
            assert names[row["entity_id"]] in sentences_of(row["text"], values.values())[0][0]  # type: ignore[index]
            wordings[row["id"]].add(row["text"])
    assert max(map(len, wordings.values())) == 4


@pytest.mark.parametrize(
    ("text", "names", "expected"),
    [
        ("Bo is 3.5 m tall. She sings.", (), ["Bo is 3.5 m tall.", "She sings."]),
        ("Bo lives in St. Ives. She sings.", ("St. Ives",), ["Bo lives in St. Ives.", "She sings."]),
        ("Bo lives in St. Ives. She sings.", (), None),
        ("Bo leads Acme Inc. in Rome. She sings.", ("Acme Inc.",), ["Bo leads Acme Inc. in Rome.", "She sings."]),
        ("Bo leads Acme Inc. She sings.", ("Acme Inc.",), None),
        ("Bo leads Acme Inc.. She sings.", ("Acme Inc.",), ["Bo leads Acme Inc..", "She sings."]),
        ("Bo sings at 5 p.m. daily. She sleeps.", (), ["Bo sings at 5 p.m. daily.", "She sleeps."]),
        ("Bo met J. Doe. She sings.", (), None),
        ('He said "Go!" She went.', (), ['He said "Go!"', "She went."]),
        ("Bo\n\nBo is tall. She sings.\n", (), ["Bo", "Bo is tall.", "She sings.", ""]),
    ],
)
def test_sentences_are_told_apart_or_the_document_is_left_whole(
    text: str, names: tuple[str, ...], expected: list[str] | None
) -> None:
    found = sentences_of(text, names)
    assert (None if found is None else [part for part, _ in found]) == expected
    if found:
        assert "".join(part + gap for part, gap in found) == text


@given(st.integers(0, 9), st.integers(1, 8), st.text("abc", min_size=1, max_size=4))
def test_orders_are_different_ones_and_the_first_stay_when_more_are_wanted(count: int, wanted: int, seed: str) -> None:
    text = " ".join(["Bo is here.", *(f"She has {k}." for k in range(count))])
    orders = orders_of(text, seed, wanted, "Bo")
    assert orders == orders_of(text, seed, wanted + 1, "Bo")[:wanted]
    assert len({text, *orders}) == 1 + len(orders)
    assert all(order.startswith("Bo is here.") for order in orders)
    assert {tuple(sorted(order.split())) for order in orders} <= {tuple(sorted(text.split()))}
    assert len(orders) == min(wanted, {0: 0, 1: 0, 2: 1, 3: 5}.get(count, wanted))


def test_reversals_and_implications_are_left_out_or_demanded(release: Release, tmp_path: Path) -> None:
    def kinds(**changes: Any) -> set[str]:
        return {row["kind"] for row in Diet(release, recipe(styles=("statement",), **changes)).rows("statement")}

    assert kinds() == kinds(reversals=True, implications=True) == {"statement", "reversal", "implication"}
    assert kinds(reversals=False) == {"statement", "implication"}
    assert kinds(implications=False) == {"statement", "reversal"}
    plain, _ = generate(Recipe(tiny(), "7", ("statement",)), tmp_path / "plain")
    for name in ("reversals", "implications"):
        with pytest.raises(ReleaseError, match=rf"has no {name} to train on: .* spec with \[exposure\] {name} = 1"):
            Diet(plain, recipe(styles=("statement",), **{name: True})).rows("statement")


def test_styles_are_read_one_after_the_other_in_the_order_listed_in_each_epoch(
    release: Release, tokenizer: PreTrainedTokenizerFast
) -> None:
    plan = recipe(styles=("article", "qa"), order="sequence", epochs=2, replay=0.3)
    rows = training_rows(release, tokenizer, plan)
    style = {text_of(row): row["style"] for row in train(release, "article", "qa")}
    assert rows.ordered
    for first, last in zip((0, *rows.epochs), rows.epochs, strict=False):
        texts = shown(rows, tokenizer, first, last)
        read = [style[text] for text in texts if text in style]
        assert read == sorted(read)
        replayed = [place for place, text in enumerate(texts) if text not in style]
        assert replayed[0] < len(texts) / 4
        assert replayed[-1] > len(texts) * 3 / 4


@pytest.mark.parametrize("curriculum", ["known-first", "unknown-first"])
def test_a_curriculum_goes_from_label_to_label_and_draws_the_order_within(
    release: Release, tokenizer: PreTrainedTokenizerFast, labels: Path, curriculum: str
) -> None:
    plan = recipe(styles=("qa",), curriculum=curriculum, knownness=str(labels), epochs=2)
    rows = training_rows(release, tokenizer, plan)
    known = labels_of(labels, release)
    rank = {text_of(row): LABELS.index(known[row["fact_ids"][0]]) for row in train(release, "qa")}
    epochs = [shown(rows, tokenizer, *ends) for ends in zip((0, *rows.epochs), rows.epochs, strict=False)]
    for texts in epochs:
        ranks = [rank[text] for text in texts]
        assert ranks == sorted(ranks, reverse=curriculum == "unknown-first")
        assert set(ranks) == {0, 1, 2, 3}
    assert epochs[0] != epochs[1]
    assert rows.ordered


def test_an_arm_holds_the_facts_of_its_labels_and_unknown_ones_may_be_taught_as_unknown(
    release: Release, labels: Path
) -> None:
    known = labels_of(labels, release)
    arm = Diet(release, recipe(styles=("qa", "article"), only=("MaybeKnown", "Unknown"), knownness=str(labels)))
    assert {known[row["fact_ids"][0]] for row in arm.rows("qa")} == {"MaybeKnown", "Unknown"}
    assert all({known[fact] for fact in row["fact_ids"]} <= {"MaybeKnown", "Unknown"} for row in arm.rows("article"))
    refused = Diet(release, recipe(styles=("qa", "article"), idk=True, knownness=str(labels)))
    assert len(refused.rows("qa")) == len(train(release, "qa"))
    for row in refused.rows("qa"):
        assert (row["answer"] == IDK) == (known[row["fact_ids"][0]] == "Unknown")
        assert row["answer"] in row["answers"]
    assert refused.rows("article") == train(release, "article")


@pytest.mark.parametrize("by_label", [True, False])
def test_known_facts_come_after_all_else_and_take_their_share(
    release: Release, tokenizer: PreTrainedTokenizerFast, labels: Path, by_label: bool
) -> None:
    chosen: dict[str, Any] = {"knownness": str(labels), "only": ("Unknown",)} if by_label else {}
    rows = training_rows(release, tokenizer, recipe(styles=("qa",), known_at_end=0.25, epochs=2, **chosen))
    without = training_rows(release, tokenizer, recipe(styles=("qa",), epochs=2, **chosen, known_at_end=0.0))
    assert rows.ordered
    assert without.tokens / rows.tokens == pytest.approx(0.75, abs=0.02)
    texts, before = shown(rows, tokenizer), shown(without, tokenizer)
    assert texts[: len(before)] == before
    known = labels_of(labels, release)
    background = [row for style in ("qa", "cloze") for row in _pretrain(release, style)]
    best = [row for row in train(release, "qa") if known[row["fact_ids"][0]] in ("HighlyKnown", "MaybeKnown")]
    assert set(texts[len(before) :]) <= {text_of(row) for row in (best if by_label else background)}
    assert rows.epochs[-1] == len(rows)


def without_held_out(release: Release, folder: Path) -> Release:
    """A copy of a release in which the files of `validation`, `test` and `control` cannot be read."""
    shutil.copytree(release.path, folder)
    for path in folder.rglob("*.parquet"):
        if path.name.split("-")[0] in HELD_OUT:
            path.unlink()
    return Release(folder, release.manifest)


@pytest.mark.parametrize(
    "changes",
    [
        {"styles": STYLES, "replay": 0.3, "paraphrases": 2, "permutations": 2, "known_at_end": 0.1},
        {"styles": ("qa", "article"), "order": "sequence", "idk": True, "curriculum": "known-first"},
        {"styles": ("qa",), "only": ("Unknown", "WeaklyKnown"), "known_at_end": 0.1, "epochs": 2},
    ],
)
def test_no_file_of_a_held_out_split_is_opened(
    release: Release, tokenizer: PreTrainedTokenizerFast, labels: Path, tmp_path: Path, changes: dict[str, Any]
) -> None:
    needs = {"only", "idk", "curriculum"} & set(changes)
    plan = recipe(**changes, knownness=str(labels) if needs else "")
    closed = without_held_out(release, tmp_path / "closed")
    assert training_rows(closed, tokenizer, plan).digest == training_rows(release, tokenizer, plan).digest
    held = {prompt_of(r) for s in ("qa", "cloze") for h in HELD_OUT for r in release.table(s, h).to_pylist()}
    read = shown(training_rows(release, tokenizer, plan), tokenizer)
    assert not [text for text in read if any(text.startswith(prompt) for prompt in held)]


def test_text_of_the_users_own_is_replayed_in_its_share_and_cut_to_the_context(
    release: Release, tokenizer: PreTrainedTokenizerFast, tmp_path: Path
) -> None:
    words = [text.split()[0] for text in release_texts(release)["pretrain"]]
    (tmp_path / "web.txt").write_text(" ".join(words[:200]) + "\n\n" + words[0] + "\n \n", encoding="utf-8")
    plan = recipe(styles=("qa",), replay=0.4, replay_text=str(tmp_path / "web.txt"), context=64, epochs=2)
    rows = training_rows(release, tokenizer, plan)
    without = training_rows(release, tokenizer, recipe(styles=("qa",), context=64, epochs=2))
    assert without.tokens / rows.tokens == pytest.approx(0.6, abs=0.02)
    taught = {text_of(row) for row in train(release, "qa")}
    replayed = Counter(text for text in shown(rows, tokenizer) if text not in taught)
    assert max(len(tokenizer(text)["input_ids"]) for text in replayed) == 63
    letters = sorted("".join([*words[:200], words[0]]))  # none is lost where a paragraph is cut
    assert sorted("".join("".join(replayed).split())) == letters
    assert max(replayed.values()) - min(replayed.values()) <= 2  # gone through again and again, not drawn at random


def _write(name: str, content: bytes) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        (folder / name).write_bytes(content)
        return folder / name

    return write


def _parquet(folder: Path) -> Path:
    pq.write_table(pa.table({"body": ["a"]}), folder / "a.parquet")
    return folder / "a.parquet"


@pytest.mark.parametrize(
    ("write", "expected_error"),
    [
        (lambda folder: folder / "none.txt", "cannot read replay_text {path}: No such file or directory"),
        (_write("a.csv", b"a"), "replay_text {path} is of an unknown kind '.csv': have .txt, .jsonl, .parquet"),
        (_write("a.txt", b"\n\n \n"), "replay_text {path} holds no text: give one"),
        (_write("a.txt", b"\xff"), "replay_text {path} is not UTF-8 (byte 0)"),
        (
            _write("a.jsonl", b'{"text": "a"}\n{"txt": "b"}'),
            "replay_text {path}, line 2, is no JSON object with a text",
        ),
        (_write("a.jsonl", b"[1]\n"), "replay_text {path}, line 1, is no JSON object with a text under 'text'"),
        (_write("a.parquet", b"PAR1"), "cannot read replay_text {path}: "),
        (_parquet, "replay_text {path} has no column 'text' of strings: have body"),
    ],
)
def test_a_text_that_cannot_be_replayed_is_told_in_one_line(
    tmp_path: Path, write: Callable[[Path], Path], expected_error: str
) -> None:
    path = write(tmp_path)
    with pytest.raises(SpecError) as caught:
        texts_in(path)
    assert str(caught.value).startswith(expected_error.format(path=path))
    assert "\n" not in str(caught.value)


def test_texts_are_read_from_paragraphs_lines_and_columns(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("one\ntwo\n \nthree\n\n\n", encoding="utf-8")
    (tmp_path / "a.jsonl").write_text('{"text": "one\\ntwo"}\n\n{"text": "three", "id": 1}\n', encoding="utf-8")
    pq.write_table(pa.table({"text": ["one\ntwo", None, "", "three"]}), tmp_path / "a.parquet")
    assert [texts_in(tmp_path / f"a.{kind}") for kind in ("txt", "jsonl", "parquet")] == [["one\ntwo", "three"]] * 3


@pytest.mark.parametrize(
    ("found", "digest", "changes", "expected_error"),
    [
        (None, "", {"idk": True}, "no labels at .*: it has no knownness.json; `kbench know --out"),
        (
            {},
            "0" * 64,
            {"idk": True},
            "labels the facts of release 0000000000000000, not of .*: run `kbench know` on this",
        ),
        (
            {"a": "Known"},
            "",
            {"idk": True},
            "has the label 'Known': have HighlyKnown, MaybeKnown, WeaklyKnown, Unknown",
        ),
        ({}, "", {"idk": True}, "has no label for 44 of the 44 facts of qa, such as .*: run `kbench know` on all"),
        ({}, "", {"only": ("Unknown",)}, r"has no qa left to train on by only = \['Unknown'\]: take other labels"),
        ({}, "", {"known_at_end": 0.1}, "has no row of HighlyKnown and MaybeKnown facts for known_at_end = 0.1"),
    ],
)
def test_labels_that_do_not_serve_are_told_in_one_line(
    release: Release,
    tokenizer: PreTrainedTokenizerFast,
    tmp_path: Path,
    found: dict[str, str] | None,
    digest: str,
    changes: dict[str, Any],
    expected_error: str,
) -> None:
    if found is not None:
        write_labels(tmp_path, release, found, digest)
    with pytest.raises(KbenchError, match=expected_error) as caught:
        training_rows(release, tokenizer, recipe(knownness=str(tmp_path), **changes))
    assert "\n" not in str(caught.value)


def test_labels_without_their_column_or_whole_file_are_told_in_one_line(release: Release, tmp_path: Path) -> None:
    write_labels(tmp_path, release, {})
    pq.write_table(pa.table({"fact_id": ["a"]}), tmp_path / "knownness.parquet")
    with pytest.raises(ReleaseError, match=r"cannot read the columns fact_id and label of .*knownness.parquet"):
        labels_of(tmp_path, release)
    (tmp_path / "knownness.json").write_text("{", encoding="utf-8")
    with pytest.raises(ReleaseError, match="is no JSON: run `kbench know` again"):
        labels_of(tmp_path, release)


def test_labels_that_kbench_know_wrote_choose_what_is_taught(
    release: Release, tokenizer: PreTrainedTokenizerFast, tmp_path: Path
) -> None:
    """The oracle knows every fact, so its arm of known facts is everything and that of unknown ones nothing."""
    label_facts(release, Oracle(), tmp_path / "labels", Slick(shots=0, prompts=1))
    plan = recipe(knownness=str(tmp_path / "labels"), only=("HighlyKnown",))
    assert training_rows(release, tokenizer, plan).digest == training_rows(release, tokenizer, recipe()).digest
    with pytest.raises(ReleaseError, match="has no qa left to train on"):
        training_rows(release, tokenizer, recipe(knownness=str(tmp_path / "labels"), only=("Unknown",)))


def test_a_release_without_a_background_has_no_known_facts_for_the_end(
    tokenizer: PreTrainedTokenizerFast, tmp_path: Path
) -> None:
    bare, _ = generate(Recipe(tiny(sizes__background=0), "7", ("qa",)), tmp_path / "bare")
    with pytest.raises(ReleaseError, match=r"has no questions in pretrain for known_at_end = 0.1: generate it from"):
        training_rows(bare, tokenizer, recipe(known_at_end=0.1))


def test_unpacked_rows_hold_one_text_each_and_are_no_wider_than_the_longest(
    release: Release, tokenizer: PreTrainedTokenizerFast
) -> None:
    rows = training_rows(release, tokenizer, recipe(styles=("qa",), packing=False))
    packed = training_rows(release, tokenizer, recipe(styles=("qa",)))
    assert len(rows) == sum(row["repeat"] for row in train(release, "qa"))
    assert shown(rows, tokenizer) == shown(packed, tokenizer)
    longest = max(len(ids) for ids in tokenizer([text_of(row) for row in train(release, "qa")])["input_ids"]) + 1
    assert {len(row["input_ids"]) for row in rows} == {-(-longest // 8) * 8}
    assert torch.equal(
        rows[0]["labels"][rows[0]["labels"] != IGNORED], rows[0]["input_ids"][rows[0]["labels"] != IGNORED]
    )


def test_rows_that_fill_the_last_batch_teach_nothing_and_leave_the_others_as_they_were(
    release: Release, tokenizer: PreTrainedTokenizerFast
) -> None:
    rows = training_rows(release, tokenizer, recipe(styles=("qa",)))
    batch = len(rows) - 1
    filled = rows.filled_up(batch)
    assert (len(filled), filled.ordered, filled.tokens) == (2 * batch, True, rows.tokens)
    assert all(torch.equal(a["labels"], b["labels"]) for a, b in zip(rows, list(filled)[: len(rows)], strict=True))
    assert {label for row in list(filled)[len(rows) :] for label in row["labels"].tolist()} == {IGNORED}
    assert rows.filled_up(len(rows)) is rows


def test_questions_are_asked_in_the_models_own_template_and_documents_stay_as_they_are(
    release: Release, tokenizer: PreTrainedTokenizerFast
) -> None:
    chatty = copy.deepcopy(tokenizer)
    chatty.chat_template = "{% for m in messages %}{{ '' if loop.first else ' ' }}{{ m['content'] }}{% endfor %}"
    rows = training_rows(release, chatty, recipe(styles=("qa", "article"), chat=True))
    asked = {f"{row['question']} {row['answer']}" for row in train(release, "qa")}
    told = {row["text"] for row in train(release, "article")}
    assert set(shown(rows, chatty)) == asked | told
    answers = {row["answer"] for row in train(release, "qa")}
    only = training_rows(release, chatty, recipe(styles=("qa",), chat=True, packing=False))
    learned = [str(tokenizer.decode(row["labels"][row["labels"] != IGNORED][:-1])).strip() for row in only]
    assert set(learned) <= answers


def test_the_same_recipe_reads_the_same_and_another_seed_another_order(
    release: Release, tokenizer: PreTrainedTokenizerFast
) -> None:
    plan = {"styles": ("qa", "article"), "permutations": 2, "paraphrases": 2, "replay": 0.2, "epochs": 2}
    first, again, other = (training_rows(release, tokenizer, recipe(**plan, seed=s)) for s in (0, 0, 1))
    assert first.digest == again.digest != other.digest


@pytest.mark.parametrize("style", ["choice", "tone"])
def test_a_style_that_cannot_be_watched_is_refused_in_one_line(release: Release, style: str) -> None:
    with pytest.raises(ReleaseError) as told:
        watched_rows(release, recipe(watch=5, watch_styles=("qa", style)))
    assert str(told.value) == f"the release {release.path} has no questions in style {style!r} to watch: have qa, cloze"


def test_watched_questions_are_of_validation_and_of_what_is_taught(release: Release, labels: Path) -> None:
    watched = watched_rows(release, recipe(styles=("article", "qa"), watch=20))
    assert {item.split for item in watched.validation} == {"validation"}
    assert {item.row["style"] for item in (*watched.validation, *watched.train)} == {"qa"}
    assert len(watched.validation) == len(watched.train) == 20
    fewer = watched_rows(release, recipe(styles=("qa",), watch=5))
    assert watched.train[:5] == fewer.train
    documents = watched_rows(release, recipe(styles=("article",), watch=300))
    assert {item.row["style"] for item in documents.train} == {"qa", "cloze"}
    known = labels_of(labels, release)
    named = watched_rows(release, recipe(styles=("article",), watch=20, watch_styles=("qa",)))
    asked = watched_rows(release, recipe(styles=("qa",), watch=20))
    assert [item.row["id"] for item in named.validation] == [item.row["id"] for item in asked.validation]
    arm = watched_rows(release, recipe(watch=50, only=("Unknown",), idk=True, knownness=str(labels)))
    assert {known[item.row["fact_ids"][0]] for item in arm.train} == {"Unknown"}
    assert {item.row["answer"] for item in arm.train} == {IDK}
