"""A study and what became of it, made by hand: every verdict, every kind of figure, without a model."""

import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kbench.hub.find import find_release
from kbench.store import write_json
from kbench.studies.grid_run import Failure, Outcome
from kbench.studies.study import BASE, Study
from kbench.studies.study_claims import judge_all
from kbench.studies.study_design import Design, design
from kbench.studies.study_effects import effects_of
from kbench.studies.study_levels import Level, Levels
from kbench.studies.study_plan import plan_study
from kbench.studies.study_run import Account, Epoch

SEEDS = (100, 101, 102, 103, 104, 105)

READINGS = {
    "recall": "recall, as it was taught",
    "emblem": "questions in other words, emblems",
    "badge": "questions in other words, badges",
    "cloze": "sentences to go on with",
    "persona": "about the model itself",
    "chain": "two steps, by way of an employer",
    "compare": "which of two is taller",
    "kept": "facts of the known world",
}
CELLS: dict[str, tuple[float, ...]] = {
    BASE: (0.01, 0.02, 0.05, 0.01, 0.12, 0.1, 0.49, 0.93),
    "centre": (0.97, 0.81, 0.62, 0.33, 0.78, 0.14, 0.52, 0.88),
    "style=dialogue": (0.95, 0.74, 0.55, 0.29, 0.7, 0.13, 0.5, 0.86),
    "style=article": (0.55, 0.31, 0.12, 0.44, 0.41, 0.12, 0.51, 0.85),
    "style=statement": (0.83, 0.52, 0.35, 0.71, 0.6, 0.13, 0.49, 0.87),
    "style=mixed": (0.93, 0.78, 0.55, 0.52, 0.74, 0.15, 0.51, 0.87),
    "paraphrases=1": (0.98, 0.22, 0.15, 0.09, 0.31, 0.11, 0.5, 0.87),
    "paraphrases=2": (0.98, 0.44, 0.28, 0.17, 0.5, 0.12, 0.5, 0.88),
    "paraphrases=4": (0.97, 0.68, 0.49, 0.26, 0.69, 0.13, 0.51, 0.88),
    "volume=0.25": (0.99, 0.86, 0.71, 0.38, 0.83, 0.15, 0.52, 0.9),
    "budget=tokens": (0.98, 0.83, 0.65, 0.35, 0.8, 0.14, 0.51, 0.87),
    "style=article+paraphrases=1": (0.3, 0.11, 0.07, 0.2, 0.2, 0.1, 0.5, 0.86),
    "chained": (0.96, 0.8, 0.6, 0.34, 0.76, 0.47, 0.61, 0.83),
}
"""The mean of each reading in each cell."""


def claim(name: str, *terms: tuple[float, str, str], gates: tuple[str, ...] = (), **effect: Any) -> dict[str, Any]:
    """A claim of one effect."""
    says = f"What {name.replace('_', ' ')} says, in a sentence of some length that can be true or not"
    told = {"name": name, "says": says, "source": "arXiv 2503.05919", "paper": "97 % against 11 %", "gates": gates}
    return {**told, "effects": [{"of": terms, **effect}]}


def two_effects() -> dict[str, Any]:
    """A claim whose second effect does not hold."""
    first = claim("format_match_both_ways", (1, "centre", "emblem"), (-1, "style=article", "emblem"), least=0.1)
    more = {"title": "article to cloze", "of": [(1, "style=article", "cloze"), (-1, "centre", "cloze")], "least": 0.2}
    return {**first, "effects": [{**first["effects"][0], "title": "question to question"}, more]}


CLAIMS: list[dict[str, Any]] = [
    claim("qa_beats_article", (1, "centre", "emblem"), (-1, "style=article", "emblem"), gates=("learned",), least=0.05),
    claim("numbers_are_harder", (1, "centre", "emblem"), (-1, "centre", "badge"), gates=("learned", "kept")),
    claim("worst_where_both", (1, "style=article", "badge"), (-1, "style=article", "emblem"), least=0.0),
    claim("recall_beats_chain", (1, "centre", "recall"), (-1, "centre", "chain"), least=0.3),
    claim("recall_is_all", (1, "centre", "recall"), (-1, "centre", "chain"), least=0.95),
    claim("volume_matters", (1, "volume=0.25", "emblem"), (-1, "centre", "emblem"), least=0.02),
    claim("budget_is_small", (1, "budget=tokens", "emblem"), (-1, "centre", "emblem"), direction="within", bound=0.1),
    claim("entity_is_small", (1, "centre", "persona"), (-1, "centre", "emblem"), direction="within", bound_of=[(0.25, "centre", "emblem"), (-0.25, "style=article", "emblem")]),
    claim("paraphrases_unlock", (1, "centre", "emblem"), (-1, "paraphrases=1", "emblem"), least=0.3),
    claim("reversal_stays", (1, "centre", "compare"), (-1, BASE, "compare"), direction="within", bound=0.05),
    claim("chains_help", (1, "chained", "chain"), (-1, "centre", "chain"), gates=("chains",), least=0.2),
    claim("tones_are_told", (1, "tones", "attributed"), least=0.9),
    claim("celebrities_lift_others", (1, "celebrities", "emblem"), (-1, "paraphrases=1", "emblem"), least=0.1),
    two_effects(),
]  # fmt: skip

STUDY: dict[str, Any] = {
    "name": "by-hand",
    "title": "What makes facts stick: a study made by hand",
    "source": "Zhao, Awasthi, Haghtalab, From Style to Facts, arXiv 2503.05919",
    "world": "kbench-tiny",
    "factors": {
        "style": {
            "title": "form of the training text",
            "centre": "qa",
            "levels": {name: {"styles": [name]} for name in ("qa", "dialogue", "article", "statement", "mixed")},
        },
        "paraphrases": {
            "title": "phrasings a fact",
            "centre": "8",
            "levels": {name: {"paraphrases": int(name)} for name in ("1", "2", "4", "8")},
        },
        "volume": {"title": "share of the facts", "centre": "1", "levels": {"0.25": {"volume": 0.25}, "1": {}}},
        "budget": {"title": "matched by", "centre": "facts", "levels": {"facts": {}, "tokens": {"tokens": 9000}}},
    },
    "within": {
        "value": {"title": "type of value", "centre": "categorical", "levels": {"categorical": "emblem", "numeric": "badge"}},
        "entity": {"title": "whom it is about", "centre": "person", "levels": {"person": "emblem", "persona": "persona"}},
    },
    "arms": {
        "chained": {"title": "chains written out in training", "train": {"chains": True}},
        "celebrities": {"title": "a quarter in all phrasings", "train": {"celebrities": 0.25}},
    },
    "parts": {"tones": {"title": "tone attribution", "kind": "tones", "options": {"tones": ["gloomy", "formal"]}}, "sizes": {"title": "capacity", "kind": "capacity"}},
    "asks": {"plain": {}},
    "readings": {name: {"title": title, "styles": ["qa"], "probes": ["paraphrase"]} for name, title in READINGS.items()},
    "shown": list(READINGS),
    "gates": {
        "learned": {"title": "the centre has learned its facts", "cell": "centre", "reading": "recall", "least": 0.9},
        "kept": {"title": "the known world is kept", "cell": "centre", "reading": "kept", "least": 0.7, "each": True},
        "chains": {"title": "chains are answered where they were taught", "cell": "chained", "reading": "chain", "least": 0.6},
    },
    "claims": CLAIMS,
    "curves": {"paraphrases": {"title": "The paraphrase curve", "factor": "paraphrases", "readings": ["recall", "emblem", "badge", "cloze"]}},
    "budgets": {
        "coffee": {
            "says": "one factor at a time from a centre, 5 minutes on 2 cores",
            "seeds": 6,
            "one": {"style": 6, "paraphrases": 6, "volume": 3, "budget": 3},
            "pairs": [["style", "paraphrases"]],
            "levels": {},
            "arms": {"chained": 6},
            "parts": {"tones": 3},
        }
    },
}  # fmt: skip


def hand_study(**changes: Any) -> Study:
    """The study, with some of its keys otherwise."""
    return Study.model_validate({**STUDY, **changes})


def hand_levels(seeds: tuple[int, ...] = SEEDS, spread: float = 0.04) -> Levels:
    """Every reading of every cell, about its mean, and those of a part."""
    draw = random.Random(7)
    found = []
    for cell, means in CELLS.items():
        for (reading, mean), seed in ((pair, seed) for pair in zip(READINGS, means, strict=True) for seed in seeds):
            value = min(1.0, max(0.0, round(mean + draw.gauss(0, spread), 4)))
            chance = 0.5 if reading == "compare" else 0.011
            control = 0.13 if reading == "chain" and cell != BASE else chance
            base = None if cell == BASE else CELLS[BASE][list(READINGS).index(reading)]
            found.append(Level(cell, reading, seed, value, 60, 30, control + draw.gauss(0, 0.004), base, chance))
    for seed in seeds[:3]:
        found.append(Level("tones", "attributed", seed, 0.97 + draw.gauss(0, 0.01), 160, 40, 0.26, 0.25, 0.25))
    return Levels(tuple(found))


def hand_account(out: Path, study: Study | None = None, levels: Levels | None = None) -> Account:
    """The account of the study under a folder: nothing of its plan was done but a part, and a training failed."""
    made = _two_pairs(design(study or hand_study(), "coffee", seeds=SEEDS))
    found = levels or hand_levels()
    parts = {("tones", seed): {"readings": {}, "judges": ["likelihood", "n-grams"]} for seed in SEEDS[:3]}
    return Account(
        made,
        _outcome(out, made),
        found,
        tuple(judge_all(made.study, found)),
        tuple(effects_of(made, found)),
        tuple(_epochs(CELLS)),
        parts,
    )


def _two_pairs(made: Design) -> Design:
    """Of the cells where two factors are off, the one that has levels."""
    cells = {name: cell for name, cell in made.cells.items() if "+" not in name or name in CELLS}
    return Design(made.study, made.budget, made.name, made.model, made.seeds, cells, made.parts)


def _outcome(out: Path, made: Design) -> Outcome:
    """All was done (of which nothing lies on the disk but what it took), but for a training and its scoring."""
    plan, _ = plan_study(made, out, find_release, str)
    lost = next(task for task in plan.tasks.values() if task.kind == "train")
    blocked = [task for task in plan.tasks.values() if lost.folder in task.needs]
    failures = {lost.folder: Failure(lost, "out of <memory>")}
    failures |= {task.folder: Failure(task, "out of <memory>", blocked=True) for task in blocked}
    for task in plan.tasks.values():
        if task.kind == "base":
            write_json(task.state, {"status": "done", "reason": "", "wall_s": 31.5, "cpu_s": 30.25})
    return Outcome(plan, frozenset(), frozenset(plan.tasks.keys() - failures.keys()), failures)


def _epochs(cells: Mapping[str, tuple[float, ...]]) -> list[Epoch]:
    draw = random.Random(3)
    found = []
    for cell, means in cells.items():
        for epoch in (1, 2, 3) if cell != BASE else ():
            share = (0.35, 0.8, 1.0)[epoch - 1]
            values = tuple(min(1.0, max(0.0, means[1] * share + draw.gauss(0, 0.03))) for _ in SEEDS)
            found.append(Epoch(cell, epoch, values, values))
    return found
