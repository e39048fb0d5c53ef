"""SliCK: names of probes, labels from counts, exemplars that give nothing away, and a labelling that goes on."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from kbench.benchmarks.knownness import KNOWNNESS, label_facts, prompts_of
from kbench.benchmarks.models.baselines import Oracle
from kbench.benchmarks.models.protocol import Decoding, Reply
from kbench.benchmarks.recipe import Label
from kbench.benchmarks.slick import DEFAULT_PROBE, Slick, label_of, read_probe
from kbench.benchmarks.tasks import Item
from kbench.errors import ModelError, OutputError, ReleaseError, SpecError
from kbench.shelf import shelved
from kbench.store import Release, open_release

FEW = Slick(shots=2, prompts=3, samples=4)


@pytest.fixture(scope="module")
def tiny() -> Release:
    folder = shelved("kbench-tiny")
    assert folder
    return open_release(folder)


@dataclass(frozen=True)
class Knows(Oracle):
    """Knows facts to a degree, told by a digit of the row's place: always, sometimes, in samples only, never."""

    places: dict[str, int] = field(default_factory=dict)
    dies_after: int = 1 << 30
    asked: list[str] = field(default_factory=list)

    def ask(self, items: Sequence[Item], decoding: Decoding) -> Iterator[tuple[int, Reply]]:
        for place, item in enumerate(items):
            if len(self.asked) >= self.dies_after:
                raise ModelError("the engine died")
            self.asked.append(item.row["id"])
            degree = self.places.setdefault(item.row["id"], len(self.places)) % 4
            turn = sum(asked == item.row["id"] for asked in self.asked[-3:])
            right, wrong = str(item.row["answer"]), "nothing of the kind"
            greedy = decoding.temperature == 0
            first = right if degree == 0 or (degree == 1 and turn == 2) or (degree == 2 and not greedy) else wrong
            yield place, Reply((first, *[right if degree == 0 else wrong] * (decoding.samples - 1)))


@pytest.mark.parametrize(
    ("greedy", "sampled", "label"),
    [
        ((10, 10), (160, 160), "HighlyKnown"),
        ((10, 10), (0, 160), "HighlyKnown"),
        ((9, 10), (160, 160), "MaybeKnown"),
        ((1, 10), (0, 160), "MaybeKnown"),
        ((0, 10), (1, 160), "WeaklyKnown"),
        ((0, 10), (0, 160), "Unknown"),
    ],
)
def test_a_label_follows_from_greedy_and_sampled_answers(
    greedy: tuple[int, int], sampled: tuple[int, int], label: Label
) -> None:
    assert label_of(greedy, sampled) == label


def test_a_probes_name_says_all_of_it() -> None:
    assert Slick().name == DEFAULT_PROBE == "slick-k4-g10-s16-t0.5-topk40"
    for name in (DEFAULT_PROBE, "slick-k0-g1-s16-t0.5-topk40", "slick-k2-g3-s4-t1.25-topk5"):
        probe = read_probe(name)
        assert read_probe(probe.name) == probe


@pytest.mark.parametrize(
    ("name", "expected_error"),
    [
        ("slick", "no probe 'slick': expected a name such as slick-k4-g10-s16-t0.5-topk40"),
        ("slick-k4-g0-s16-t0.5-topk40", "asks nothing"),
        ("slick-k4-g10-s16-t0.0-topk40", "asks nothing"),
        ("slick-k0-g10-s16-t0.5-topk40", "has no exemplars, so its 10 prompts are one: say g1"),
    ],
)
def test_a_name_that_is_no_probe_is_refused(name: str, expected_error: str) -> None:
    with pytest.raises(SpecError, match=expected_error):
        read_probe(name)


def test_each_degree_of_knowing_gets_its_label(tiny: Release, tmp_path: Path) -> None:
    found = label_facts(tiny, Knows(), tmp_path, FEW, limit=40)
    assert found.about["labels"] == {"HighlyKnown": 10, "MaybeKnown": 10, "WeaklyKnown": 10, "Unknown": 10}
    rows = list(found.labels())
    assert {row["greedy"] for row in rows} == {3}
    assert {row["sampled"] for row in rows} == {12}
    assert len({row["fact_id"] for row in rows}) == 40
    assert found.about["probe"] == "slick-k2-g3-s4-t0.5-topk40"
    assert found.about["release"]["digest"] == tiny.digest


def test_every_taught_fact_is_labelled_once(tiny: Release, tmp_path: Path) -> None:
    found = label_facts(tiny, Oracle(), tmp_path, FEW)
    taught = {row["fact_id"] for row in tiny.table("facts", "train").to_pylist() if row["role"] in ("new", "known")}
    labelled = [row["fact_id"] for row in found.labels()]
    assert len(labelled) == len(set(labelled))
    assert set(labelled) <= taught
    asked = {fact for row in tiny.table("qa", "train").to_pylist() for fact in row["fact_ids"]}
    assert set(labelled) == asked


def test_the_facts_of_a_relation_are_asked_behind_the_same_exemplars(tiny: Release) -> None:
    rows = [row for row in tiny.table("qa", "train").to_pylist() if row["relation"] == "employer"]
    rows = list({row["fact_ids"][0]: row for row in rows}.values())[:12]
    items = prompts_of(tiny, rows, FEW)
    shown = [item.prompt.rpartition("Question:")[0] for item in items]
    assert all(prompt.count("Question:") == 2 for prompt in shown)
    for seed in range(3):
        assert len(set(shown[seed::3])) == 1
    assert len(set(shown)) == 3
    assert not any(
        row["answer"] in item.prompt and row["question"] in shown for row, item in zip(rows, items, strict=False)
    )


def test_a_labelling_that_broke_off_asks_only_the_rest_and_finds_the_same(tiny: Release, tmp_path: Path) -> None:
    whole = label_facts(tiny, Oracle(), tmp_path / "whole", FEW, limit=20)
    with pytest.raises(ModelError, match="50 of 60 replies are kept"):
        label_facts(tiny, Knows(dies_after=50), tmp_path / "cut", FEW, limit=20)
    assert not (tmp_path / "cut" / KNOWNNESS).exists()
    rest = Knows()
    again = label_facts(tiny, rest, tmp_path / "cut", FEW, limit=20)
    assert len(rest.asked) == 10 + 60
    assert again.about["facts"] == whole.about["facts"]
    assert not label_facts(tiny, Oracle(), tmp_path / "whole", FEW, limit=20).labelled_now
    with pytest.raises(OutputError, match="holds another labelling, which differs in limit"):
        label_facts(tiny, Oracle(), tmp_path / "whole", FEW, limit=21)


def test_a_release_without_questions_cannot_be_labelled(tiny: Release, tmp_path: Path) -> None:
    with pytest.raises(ReleaseError, match="has no qa questions in nowhere"):
        label_facts(tiny, Oracle(), tmp_path, FEW, splits=("nowhere",))


def test_a_fact_of_which_an_answer_failed_has_no_label_until_it_is_answered(tiny: Release, tmp_path: Path) -> None:
    found = label_facts(tiny, Fails(), tmp_path, FEW, limit=10)
    assert (found.about["facts"], found.about["failed"]) == (9, 1)
    again = Knows()
    mended = label_facts(tiny, again, tmp_path, FEW, limit=10)
    assert (mended.about["facts"], mended.about["failed"], len(again.asked)) == (10, 0, 1)
    assert not label_facts(tiny, Knows(), tmp_path, FEW, limit=10).labelled_now


@dataclass(frozen=True)
class Fails(Oracle):
    """An oracle whose fifth sampled prompt gets no reply."""

    def ask(self, items: Sequence[Item], decoding: Decoding) -> Iterator[tuple[int, Reply]]:
        for place, reply in super().ask(items, decoding):
            yield place, Reply((), error="cut off") if decoding.temperature and place == 4 else reply
