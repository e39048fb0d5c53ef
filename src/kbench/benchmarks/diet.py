"""What a recipe teaches of a release's `train` split: which rows, in which words, how often, and in which order."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from kbench.benchmarks.chains import CHAINED, begin_chained, in_both_forms, with_chains
from kbench.benchmarks.chosen import chosen_facts
from kbench.benchmarks.cohort import TAUGHT_ROLES, Cohort, cohort_of
from kbench.benchmarks.labels import KNOWN, Labels, labels_of, least_known
from kbench.benchmarks.permute import orders_of
from kbench.benchmarks.phrasings import fewer_phrasings
from kbench.benchmarks.recipe import LABELS, Label, TrainRecipe
from kbench.errors import ReleaseError
from kbench.ids import digest_of
from kbench.schema import QUESTION_STYLES
from kbench.store import Release

Row = dict[str, Any]

IDK = "I don't know."
"""The answer that `idk` gives to questions about Unknown facts (Gekhman et al. 2024)."""


@dataclass(frozen=True)
class Lesson:
    """A row to be learned: its wordings, of which one is shown at a time, how often an epoch shows it, and its turn.

    Of several wordings the first exposure shows the `first`, the next the one after it, through all epochs.
    """

    wordings: tuple[Row, ...]
    repeat: int
    first: int
    turn: tuple[int, int]
    """The place of its style, and of its label, where the recipe orders by them."""

    def shown(self, epoch: int) -> list[int]:
        """The places of the wordings that an epoch shows."""
        begin = self.first + epoch * self.repeat
        return [(begin + number) % len(self.wordings) for number in range(self.repeat)]


@dataclass(frozen=True)
class Diet:
    """What a recipe takes of a release. Only `train` is read, and `pretrain` for the known facts at the end."""

    release: Release
    recipe: TrainRecipe

    @cached_property
    def labels(self) -> Labels:
        """How well the model knew each fact; empty where the recipe does not ask."""
        return labels_of(Path(self.recipe.knownness), self.release) if self.recipe.knownness else {}

    @cached_property
    def cohort(self) -> Cohort:
        """Whom the recipe teaches."""
        return cohort_of(self.release, self.recipe)

    @cached_property
    def chosen(self) -> frozenset[str]:
        """The facts that `facts` takes."""
        return chosen_facts(self.release, self.recipe)

    def rows(self, style: str) -> list[Row]:
        """The rows of a style that are trained on, with their repeats. Raises ReleaseError where a method lacks its."""
        rows = self.whole(style)
        if self.recipe.only:
            wanted: set[Label | None] = set(self.recipe.only)
            rows = [row for row in rows if row["fact_ids"] and wanted >= {self.labels.get(f) for f in row["fact_ids"]}]
        if self.recipe.idk or self.recipe.curriculum != "none":
            self._need_labels(style, rows)
        if self.recipe.paraphrases is not None or self.recipe.exposures is not None:
            rows = self._phrased(rows)
        if self.recipe.idk and style in QUESTION_STYLES:
            rows = [{**row, "answer": IDK, "answers": [IDK]} if self.label(row) == "Unknown" else row for row in rows]
        return rows

    def whole(self, style: str) -> list[Row]:
        """Every row of a style in `train` that no field of the recipe leaves out, whatever is known of its facts."""
        rows = self._of_any_fact(style)
        if self.recipe.facts:
            rows = [row for row in rows if row["fact_ids"] and self.chosen.issuperset(row["fact_ids"])]
        return rows

    def _of_any_fact(self, style: str) -> list[Row]:
        """The same, whatever `facts` takes."""
        rows: list[Row] = self.release.table(style, "train").to_pylist()
        if self.recipe.volume < 1:
            rows = [row for row in rows if self.cohort.teaches(row)]
        if self.recipe.relations:
            rows = [row for row in rows if row["relation"] in self.recipe.relations]
        if style == "tone" and self.recipe.tones:
            return self._toned(rows)
        if style != "statement":
            return rows
        for name, kind in (("reversals", "reversal"), ("implications", "implication")):
            wanted = getattr(self.recipe, name)
            if wanted is True and not any(row["kind"] == kind for row in rows):
                raise ReleaseError(
                    f"the release {self.release.path} has no {name} to train on: "
                    f"generate it from a spec with [exposure] {name} = 1 or more"
                )
            if wanted is False:
                rows = [row for row in rows if row["kind"] != kind]
        return rows

    def _phrased(self, rows: list[Row]) -> list[Row]:
        """The rows in as many phrasings, as often, as the recipe says; celebrities keep all their phrasings."""
        kept: dict[str, Row] = {}
        for celebrated, most in ((True, None), (False, self.recipe.paraphrases)):
            theirs = [row for row in rows if (row["entity_id"] in self.cohort.celebrities) == celebrated]
            kept |= {row["id"]: row for row in fewer_phrasings(theirs, most, self.recipe.exposures)}
        return [kept[row["id"]] for row in rows if row["id"] in kept]

    def _toned(self, rows: list[Row]) -> list[Row]:
        """The rows whose manner, the last of their answers, is among the recipe's."""
        have = {row["answers"][-1] for row in rows}
        if missing := [tone for tone in self.recipe.tones if tone not in have]:
            raise ReleaseError(
                f"the release {self.release.path} has nobody to train on who speaks in the tone {missing[0]!r}: "
                f"have {', '.join(sorted(have)) or 'none'}"
            )
        return [row for row in rows if row["answers"][-1] in self.recipe.tones]

    def lessons(self, style: str) -> list[Lesson]:
        """The rows of a style as lessons."""
        place = self.recipe.styles.index(style) if self.recipe.order == "sequence" else 0
        rows = self.rows(style)
        if self.recipe.chains and style == CHAINED:
            begin = begin_chained(rows)
            return [
                Lesson((row, chained), row["repeat"], int(row["id"] in begin), (place, self._rank(row)))
                for row, chained in zip(rows, with_chains(self.release, rows), strict=True)
            ]
        found = []
        for row in rows:
            wordings = (row, *self._permuted(row)) if style == "article" else (row,)
            first = int(digest_of("wording", row["id"])[:8], 16) % len(wordings)
            found.append(Lesson(wordings, row["repeat"], first, (place, self._rank(row))))
        return found

    def label(self, row: Row) -> Label | None:
        """The label of the least known fact of a row; None where one was not probed."""
        return least_known(self.labels, row["fact_ids"])

    def known(self) -> dict[str, list[Row]]:
        """Rows about facts that the model knew, by style: by label, else the questions of the background.

        Raises ReleaseError where there are none.
        """
        if self.recipe.knownness:
            found = {
                style: [row for row in self._of_any_fact(style) if self.label(row) in KNOWN]
                for style in self.recipe.styles
            }
            where, remedy = f"no row of {' and '.join(KNOWN)} facts", "take another release, or leave knownness away"
        else:
            styles = [
                s for s in self.release.configs() if s in QUESTION_STYLES and "pretrain" in self.release.splits(s)
            ]
            found = {style: self.release.table(style, "pretrain").to_pylist() for style in styles}
            where, remedy = "no questions in pretrain", "generate it from a spec with background questions"
        if not any(found.values()):
            raise ReleaseError(
                f"the release {self.release.path} has {where} for known_at_end = {self.recipe.known_at_end}: {remedy}"
            )
        if self.recipe.chains and CHAINED in found:
            found[CHAINED] = in_both_forms(self.release, found[CHAINED])
        return found

    @cached_property
    def _names(self) -> Mapping[str, str]:
        return {row["entity_id"]: row["name"] for row in self.release.table("entities", "train").to_pylist()}

    @cached_property
    def _values(self) -> Mapping[str, str]:
        return {row["fact_id"]: row["value"] for row in self.release.table("facts", "train").to_pylist()}

    def _permuted(self, row: Row) -> list[Row]:
        if not self.recipe.permutations:
            return []
        subject = self._names.get(row["entity_id"], "")
        named = [subject, *(self._values[fact] for fact in row["fact_ids"] if fact in self._values)]
        orders = orders_of(row["text"], row["id"], self.recipe.permutations, subject, named)
        return [{**row, "text": text} for text in orders]

    def _rank(self, row: Row) -> int:
        if self.recipe.curriculum == "none":
            return 0
        label = self.label(row)
        rank = LABELS.index(label) if label else len(LABELS)
        return rank if self.recipe.curriculum == "known-first" else -rank

    def _need_labels(self, style: str, rows: list[Row]) -> None:
        facts = {fact for row in rows for fact in row["fact_ids"]}
        without = facts - self.labels.keys()
        if without:
            raise ReleaseError(
                f"{self.recipe.knownness} has no label for {len(without):,} of the {len(facts):,} facts of {style}, "
                f"such as {min(without)}: run `kbench know` on all of them, or choose some by only"
            )


def taught_entities(release: Release, recipe: TrainRecipe) -> frozenset[str]:
    """The ids of the entities, new and known, of whom a recipe states or asks a fact, in any of its styles."""
    diet = Diet(release, recipe)
    facts = {fact for style in recipe.styles for row in diet.rows(style) for fact in row["fact_ids"]}
    told = release.table("facts", "train").select(["fact_id", "subject_id", "role"]).to_pylist()
    return frozenset(f["subject_id"] for f in told if f["fact_id"] in facts and f["role"] in TAUGHT_ROLES)


def taught_celebrities(release: Release, recipe: TrainRecipe) -> frozenset[str]:
    """The ids of those among them who keep all their phrasings where `paraphrases` leaves the others few."""
    return taught_entities(release, recipe) & cohort_of(release, recipe).celebrities
