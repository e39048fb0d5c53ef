"""Which facts a recipe teaches: by how often pretraining stated them, how popular their subject is, or how well known.

Arms that are compared take equal numbers of facts of each relation, so that neither the relation nor the number differs
between them; where `facts_balanced`, of each relation and value, so that the commonest answers do not either.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from kbench.benchmarks.labels import TABLE, labels_of
from kbench.benchmarks.recipe import LABELS, TrainRecipe
from kbench.errors import ReleaseError
from kbench.ids import digest_of
from kbench.store import Release

HALVES = ("top", "bottom")
"""The better and the lesser known half of the facts of each relation; an odd one is left out."""

RANDOM, WHOLE = "random", "whole"
"""As many as of one level, drawn of all that are compared; and all of them, as many of each level."""

OR = "+"
"""Joins levels into one: `HighlyKnown+MaybeKnown`."""

Row = dict[str, Any]


def chosen_facts(release: Release, recipe: TrainRecipe) -> frozenset[str]:
    """The ids of the facts that a recipe teaches by `facts`: of `known` entities where the release has any.

    Raises ReleaseError where there is none of a level, or the release says nothing to choose by.
    """
    facts = _candidates(release, recipe)
    among = _compared(recipe)
    levels = (_halved if set(among) <= set(HALVES) else _levelled)(facts, release, recipe)
    strata = list(_strata(levels, among, recipe))
    if sum(recipe.facts_mix) == 1:
        found = set(_mixed(strata, among, recipe))
    else:
        found = {fact for stratum in strata for fact in _taken(stratum, among, recipe)}
    if not found:
        raise ReleaseError(
            f"the release {release.path} has no facts to take for facts = {list(recipe.facts)} by {recipe.facts_by}, "
            f"as many each of {', '.join(among)} in a relation: have {_have(levels)}"
        )
    return frozenset(found)


def _compared(recipe: TrainRecipe) -> tuple[str, ...]:
    """The levels whose numbers are matched."""
    if recipe.facts_among:
        return recipe.facts_among
    return HALVES if {*recipe.facts} <= {*HALVES, RANDOM, WHOLE} else recipe.facts


def _meant(recipe: TrainRecipe, among: tuple[str, ...]) -> tuple[str, ...]:
    """What is taken, by level: the top of levels that are named is the first of them, the bottom the last."""
    ends = {"top": among[0], "bottom": among[-1]}
    return tuple(ends.get(name, name) if name not in among else name for name in recipe.facts)


def _candidates(release: Release, recipe: TrainRecipe) -> list[Row]:
    rows = release.table("facts", "train").to_pylist()
    roles = {row["role"] for row in rows}
    role = "known" if "known" in roles else "new"
    wanted = set(recipe.relations)
    return [row for row in rows if row["role"] == role and (not wanted or row["relation"] in wanted)]


def _levelled(facts: Sequence[Row], release: Release, recipe: TrainRecipe) -> dict[str, list[Row]]:
    level = _level_of(release, recipe)
    found: dict[str, list[Row]] = defaultdict(list)
    for fact in facts:
        if (name := level(fact)) is not None:
            found[name].append(fact)
    named = _compared(recipe)
    for name in named:
        parts = name.split(OR)
        if missing := [part for part in parts if part not in found and not _may_lack(part, recipe, name)]:
            raise ReleaseError(
                f"the release {release.path} has no fact of level {missing[0]!r} by {recipe.facts_by}: "
                f"have {', '.join(sorted(found)) or 'none'}"
            )
    return {name: [fact for part in name.split(OR) for fact in found.get(part, [])] for name in named}


def _may_lack(part: str, recipe: TrainRecipe, name: str) -> bool:
    """A label that no fact happens to have is no mistake, beside others that are joined with it."""
    return recipe.facts_by == "knownness" and part in LABELS and OR in name


def _level_of(release: Release, recipe: TrainRecipe) -> Callable[[Row], str | None]:
    if recipe.facts_by == "knownness":
        labels = labels_of(Path(recipe.knownness), release)
        return lambda fact: labels.get(fact["fact_id"])
    if recipe.facts_by == "exposures":
        return lambda fact: str(fact["exposures"])
    popularity = _popularity(release)
    return lambda fact: str(popularity[fact["subject_id"]])


def _halved(facts: Sequence[Row], release: Release, recipe: TrainRecipe) -> dict[str, list[Row]]:
    """Each relation's facts in two halves, best known first; of equal ones a digest says which comes first."""
    rank = _rank_of(release, recipe)
    ranked: dict[str, list[tuple[Any, Row]]] = defaultdict(list)
    for fact in facts:
        if (place := rank(fact)) is not None:
            ranked[fact["relation"]].append(((place, _drawn(fact)), fact))
    found: dict[str, list[Row]] = {name: [] for name in HALVES}
    for same in ranked.values():
        ordered = [fact for _, fact in sorted(same, key=lambda each: each[0])]
        half = len(ordered) // 2
        found["top"] += ordered[:half]
        found["bottom"] += ordered[len(ordered) - half :]
    return found


def _rank_of(release: Release, recipe: TrainRecipe) -> Callable[[Row], tuple[float, ...] | None]:
    """What orders facts, the least value first; None of a fact of which nothing is known."""
    if recipe.facts_by == "knownness":
        labels_of(Path(recipe.knownness), release)
        probed = {row["fact_id"]: row for row in pq.read_table(Path(recipe.knownness) / TABLE).to_pylist()}
        return lambda fact: _by_label(probed[fact["fact_id"]]) if fact["fact_id"] in probed else None
    if recipe.facts_by == "exposures":
        return lambda fact: (-fact["exposures"],)
    popularity = _popularity(release)
    return lambda fact: (-popularity[fact["subject_id"]],)


def _by_label(row: Row) -> tuple[float, ...]:
    """The label, then the share of right answers, greedy and sampled."""
    shares = [row[f"{kind}_right"] / row[kind] if row.get(kind) else 0.0 for kind in ("greedy", "sampled")]
    return (LABELS.index(row["label"]), *(-share for share in shares))


def _popularity(release: Release) -> dict[str, float]:
    return {row["entity_id"]: row["popularity"] for row in release.table("entities", "train").to_pylist()}


def _strata(
    levels: Mapping[str, Sequence[Row]], among: Sequence[str], recipe: TrainRecipe
) -> Iterator[dict[str, list[str]]]:
    """The facts of each level that are alike in what must not differ, in an order by digest."""
    found: dict[tuple[str, ...], dict[str, list[Row]]] = defaultdict(lambda: defaultdict(list))
    for level in among:
        for fact in levels.get(level, []):
            alike = (fact["relation"], fact["value"]) if recipe.facts_balanced else (fact["relation"],)
            found[alike][level].append(fact)
    for key in sorted(found):
        yield {level: [f["fact_id"] for f in sorted(rows, key=_drawn)] for level, rows in found[key].items()}


def _taken(stratum: Mapping[str, Sequence[str]], among: tuple[str, ...], recipe: TrainRecipe) -> list[str]:
    """What is taken of the facts of one relation: as many as its scarcest level has."""
    size = min(len(stratum.get(level, ())) for level in among)
    matched = {level: list(stratum.get(level, ()))[:size] for level in among}
    if recipe.facts == (WHOLE,):
        return [fact for level in among for fact in matched[level]]
    if recipe.facts == (RANDOM,):
        every = sorted((fact for level in among for fact in matched[level]), key=lambda fact: digest_of("random", fact))
        return every[:size]
    mix: list[float] = list(recipe.facts_mix or (1.0 for _ in recipe.facts))
    counts = [round(share * size) for share in mix]
    levels = _meant(recipe, among)
    return [fact for level, count in zip(levels, counts, strict=True) for fact in matched[level][:count]]


def _mixed(strata: Sequence[Mapping[str, Sequence[str]]], among: tuple[str, ...], recipe: TrainRecipe) -> list[str]:
    """Of each stratum as many as of one level, each taken of the level that is furthest behind its share so far.

    So every stratum keeps its size, however small, and the shares are met over all of them.
    """
    levels = _meant(recipe, among)
    taken, found = [0] * len(levels), list[str]()
    for stratum in strata:
        size = min(len(stratum.get(level, ())) for level in among)
        here = [0] * len(levels)
        for _ in range(size):
            slots = sum(taken) + 1
            place = max(range(len(levels)), key=lambda i: (recipe.facts_mix[i] * slots - taken[i], -i))
            found.append(stratum[levels[place]][here[place]])
            here[place] += 1
            taken[place] += 1
    return found


def _drawn(fact: Row) -> str:
    return digest_of("facts", fact["fact_id"])


def _have(levels: Mapping[str, Sequence[Row]]) -> str:
    return ", ".join(f"{len(facts):,} {level}" for level, facts in levels.items()) or "none"
