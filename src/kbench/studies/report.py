"""The demo's page: one self-contained HTML file."""

from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from kbench import __version__
from kbench.store import open_release, write_text
from kbench.studies.cells import ARMS, finetune_recipe
from kbench.studies.figures import contrasts_figure, levels_figure
from kbench.studies.findings import GATE, Findings
from kbench.studies.lab import LabRecipe

EXPLORATION = range(100, 108)
"""The seeds that the demo's recipe was chosen on."""

STAGES = {
    "world": "invent a world, write its release",
    "base": "pretrain the base",
    "qa": "finetune on questions",
    "article": "finetune on articles",
    "statement": "finetune on statements",
    "score": "score the four models",
}


def write_report(
    path: Path, findings: Findings, cells: dict[int, dict[str, Any]], release: Path, reused: tuple[int, ...] = ()
) -> Path:
    """Write the page and return its path."""
    jinja = Environment(loader=PackageLoader("kbench", "templates"), undefined=StrictUndefined, autoescape=True)
    page = jinja.get_template("demo.html.j2").render(
        version=__version__,
        findings=findings,
        gate=GATE,
        reused=reused,
        exploring=any(seed in EXPLORATION for seed in findings.seeds),
        arms=ARMS,
        levels_svg=levels_figure(findings.levels) if findings.levels else "",
        contrasts_svg=contrasts_figure(findings.contrasts + findings.beside) if findings.contrasts else "",
        forms=one_entity(release),
        costs=stage_costs(cells),
        bases=[{"seed": seed, **cell["base"], "gate": findings.gates[seed]} for seed, cell in sorted(cells.items())],
        lab=LabRecipe(),
        recipe=finetune_recipe("qa", 0, 64),
    )
    write_text(path, page)
    return path


def stage_costs(cells: dict[int, dict[str, Any]]) -> list[dict[str, Any]]:
    """For each stage the mean wall and CPU seconds of a seed, and the CPU seconds of all."""
    costs = []
    for name, title in STAGES.items():
        stages = [s for cell in cells.values() for s in cell["stages"] if s["name"] == name]
        cpu, wall = sum(s["cpu_s"] for s in stages), sum(s["wall_s"] for s in stages)
        costs.append({"title": title, "cpu": cpu / len(stages), "wall": wall / len(stages), "total": cpu})
    return costs


def one_entity(release: Path) -> list[tuple[str, str, str]]:
    """One new person in every form: (form, what it is used for, text)."""
    opened = open_release(release)
    entities = opened.table("entities", "train").to_pylist()
    entity = next(e["entity_id"] for e in entities if e["role"] == "new" and e["type"] == "person")

    def first(style: str, split: str, relation: str = "") -> str:
        for row in opened.table(style, split).to_pylist():
            if row["entity_id"] == entity and row["relation"] in (relation, ""):
                return row["text"] if "text" in row else f"{row['question']} → {row['answer']}"
        return ""

    taught = [
        ("qa", "finetuned on", first("qa", "train", "occupation")),
        ("statement", "finetuned on", first("statement", "train", "occupation")),
        ("article", "finetuned on", first("article", "train")),
        ("qa", "tested on", first("qa", "test", "occupation")),
        ("cloze", "tested on", first("cloze", "test", "occupation") + " …"),
        ("numeric", "tested on", first("numeric", "test", "height")),
    ]
    hop = next(r for r in opened.table("multihop", "test").to_pylist() if r["probe"] == "multihop")
    return [*taught, ("multihop", "tested on", f"{hop['question']} → {hop['answer']}")]
