"""Small datasets of real facts with the columns that the published ones have, as files."""

import csv
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

FIRST = ["Ann", "Bob", "Cora", "Dan", "Eve", "Finn", "Gus", "Hal", "Ida", "Jo"]
LAST = ["Stone", "Reed", "Marsh", "Holt", "Vale", "Penn", "Cole", "Byrd"]
PEOPLE = [f"{first} {last}" for first in FIRST for last in LAST]
JOBS, TOWNS = ["politician", "painter", "actor", "chemist"], ["Paris", "Lyon", "Nice", "Lille", "Brest"]

POPQA = "id subj prop obj subj_id prop_id obj_id s_aliases o_aliases s_uri o_uri s_wiki_title o_wiki_title s_pop o_pop"
POPQA_COLUMNS = [*POPQA.split(), "question", "possible_answers"]


def popqa_rows() -> list[dict[str, Any]]:
    """Two relations of eighty people, as PopQA has them."""
    found: list[dict[str, Any]] = []
    for n, name in enumerate(PEOPLE):
        for prop, value, question in (
            ("occupation", JOBS[n % 4], f"What is {name}'s occupation?"),
            ("place of birth", TOWNS[n % 5], f"In what city was {name} born?"),
        ):
            row = dict.fromkeys(POPQA_COLUMNS, "")
            said = {"subj": name, "prop": prop, "obj": value, "subj_id": str(1000 + n), "s_pop": str(10 * n + 7)}
            answers = json.dumps([value, f"{value} too"])
            found.append({**row, **said, "id": str(len(found)), "question": question, "possible_answers": answers})
    return found


def write_popqa(path: Path, rows: list[dict[str, Any]] | None = None) -> Path:
    """PopQA as the Hub has it: a table with tabs."""
    rows = popqa_rows() if rows is None else rows
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(rows[0]), delimiter="\t")
        writer.writeheader()
        writer.writerows(rows)
    return path


def write_entity_questions(folder: Path) -> Path:
    """EntityQuestions: two relations, each in the three files of its splits."""
    wordings = {
        "P17": ("Which country is {} located in?", ["France", "Italy"]),
        "P40": ("Who is {}'s child?", ["Ada", "Ben", *PEOPLE]),
    }
    folder.mkdir(parents=True)
    for prop, (wording, values) in wordings.items():
        for split, people in {"train": PEOPLE[:40], "dev": PEOPLE[40:50], "test": PEOPLE[50:]}.items():
            asked = [
                {"question": wording.format(p), "answers": [values[(3 * n) % len(values)]]}
                for n, p in enumerate(people)
            ]
            (folder / f"{prop}.{split}.json").write_text(json.dumps(asked), encoding="utf-8")
    return folder


def write_mmlu(path: Path) -> Path:
    """MMLU as the Hub has it: one Parquet file of all exams."""
    exams = ("high_school_us_history", "virology")
    rows = [
        {
            "question": f"Which of these has\nthe number {n}?",
            "subject": exams[n % 2],
            "choices": [f"{letter} {n}" for letter in ("ant", "bee", "cat", "dog")],
            "answer": n % 4,
        }
        for n in range(80)
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows), path)
    return path


def write_wikibio(path: Path) -> Path:
    """WikiBio as the Hub has it, an object a line."""
    lines = []
    for n, name in enumerate(map(str.lower, PEOPLE)):
        job, town, year = JOBS[n % 4], TOWNS[n % 5].lower(), str(1900 + n)
        fields = {
            "name": name,
            "occupation": job,
            "birth_place": town,
            "birth_year": year,
            "clubs1": "x",
            "spouse": "<none>",
        }
        table = {"column_header": list(fields), "row_number": [1] * len(fields), "content": list(fields.values())}
        text = f"{name} -lrb- born {year} in {town} -rrb- was a {job} .\n"
        lines.append(json.dumps({"input_text": {"table": table, "context": f"{name}\n"}, "target_text": text}))
    path.write_text("\n".join(lines), encoding="utf-8")
    return path
