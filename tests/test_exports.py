"""`kbench export`: what is written for each tool, what is refused, and that a folder is whole or not there."""

import ast
import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from datasets import get_dataset_config_names, load_dataset

from kbench.benchmarks import match, prompts
from kbench.benchmarks.examples import examples_of
from kbench.benchmarks.scoring import score
from kbench.errors import KbenchError, OutputError, ReleaseError, SpecError
from kbench.exports.asked import Asked, Source
from kbench.exports.examples import pieces, written_out
from kbench.exports.export import TARGETS, Target, export_release
from kbench.exports.folder import MARKER, PLAN
from kbench.exports.lm_eval import BASE, FUNCTIONS
from kbench.exports.openai import MOST_TOKENS
from kbench.exports.trl import SPLITS
from kbench.ids import file_sha256
from kbench.schema import DOCUMENT_STYLES, QUESTION_STYLES, Probe
from kbench.store import CANARY, MANIFEST, Release, open_release, write_json, write_table
from kbench.studies.tokenizer import word_tokenizer
from tests.samples import Row, Sample, files_under, run

each_target = pytest.mark.parametrize("target", TARGETS)


_Loader: Any = type("_Loader", (yaml.SafeLoader,), {})
"""YAML as lm-eval reads it, with the names of functions in place of the functions."""

_Loader.add_constructor("!function", lambda loader, node: node.value)


def tasks_in(folder: Path) -> dict[str, dict[str, Any]]:
    """Every task file of a folder, by the name of its task."""
    read = [yaml.load(path.read_text(encoding="utf-8"), _Loader) for path in folder.glob("*.yaml")]
    return {value["task"]: value for value in read if isinstance(value.get("task"), str)}


def edited_release(release: Release, folder: Path, name: str, change: Callable[[list[Row]], None]) -> Release:
    """A copy of a release in which the rows of one split (`dialogue/train`) are others, and the manifest says so."""
    shutil.copytree(release.path, folder)
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    style, split = name.split("/")
    file = next(f for f in manifest["files"] if (f["config"], f["split"]) == (style, split))
    table = release.read(file)
    rows = table.to_pylist()
    change(rows)
    write_table(folder / file["path"], pa.Table.from_pylist(rows, schema=table.schema))
    file["sha256"] = file_sha256(folder / file["path"])
    write_json(folder / MANIFEST, manifest)
    return open_release(folder)


@each_target
def test_an_export_made_again_is_left_as_it_is(lab_release: Release, tmp_path: Path, target: Target) -> None:
    first = export_release(lab_release, target, tmp_path / "out")
    held = files_under(tmp_path / "out")
    again = export_release(lab_release, target, tmp_path / "out")
    assert (first.written_now, again.written_now) == (True, False)
    assert first.about == again.about
    assert files_under(tmp_path / "out") == held
    assert set(held) == {MARKER, *first.about["files"]}


@each_target
def test_the_marker_holds_the_releases_digest_and_the_sha256_of_every_file(
    lab_release: Release, tmp_path: Path, target: Target
) -> None:
    export_release(lab_release, target, tmp_path / "out")
    about = json.loads((tmp_path / "out" / MARKER).read_text(encoding="utf-8"))
    canary = lab_release.manifest["canary"]
    assert about["release"] == {"world": lab_release.world, "digest": lab_release.digest, "canary": canary}
    assert about["target"] == target
    assert all(file_sha256(tmp_path / "out" / name) == digest for name, digest in about["files"].items())


@each_target
def test_the_same_release_gives_the_same_bytes_in_any_folder(
    lab_release: Release, tmp_path: Path, target: Target
) -> None:
    for name in ("a", "b"):
        export_release(lab_release, target, tmp_path / name)
    assert files_under(tmp_path / "a") == files_under(tmp_path / "b")


def test_another_export_a_strangers_folder_and_an_altered_export_are_refused(
    lab_release: Release, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    export_release(lab_release, "openai", out, styles=("qa",))
    with pytest.raises(OutputError, match=r"out holds another export \(openai of world"):
        export_release(lab_release, "openai", out, styles=("cloze",))
    with pytest.raises(OutputError, match="out holds another export"):
        export_release(lab_release, "trl", out, styles=("qa",))
    (out / "train.jsonl").write_text("{}")
    with pytest.raises(OutputError, match=r"train\.jsonl was altered after the export: delete"):
        export_release(lab_release, "openai", out, styles=("qa",))
    (out / "train.jsonl").unlink()
    with pytest.raises(OutputError, match=r"train\.jsonl is missing from the export: delete"):
        export_release(lab_release, "openai", out, styles=("qa",))
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("x")
    with pytest.raises(OutputError, match=r"mine holds something else \(thesis\.txt"):
        export_release(lab_release, "openai", tmp_path / "mine")
    with pytest.raises(OutputError, match=r"thesis\.txt is a file, not a folder"):
        export_release(lab_release, "openai", tmp_path / "mine" / "thesis.txt")


_KILLED = """
import os, signal, sys
from pathlib import Path
import kbench.exports.folder as folder
from kbench.exports.export import export_release
from kbench.store import open_release

release, target, out, moment = sys.argv[1:]
die = lambda: os.kill(os.getpid(), signal.SIGKILL)
moved, replace, write = 0, Path.replace, folder.write_json

def replace_or_die(path, to):
    global moved
    if ".kbench_export.part" in str(path) and ".kbench_export.part" not in str(to):
        if moved == 1 and moment == "moving":
            die()
        moved += 1
    return replace(path, to)

def write_or_die(path, value):
    if path.name == folder.MARKER and moment == "before the marker":
        die()
    write(path, value)
    if path.name == folder.MARKER and moment == "behind the marker":
        die()

Path.replace, folder.write_json = replace_or_die, write_or_die
export_release(open_release(Path(release)), target, Path(out), progress=lambda done, total: moment == "writing" and die())
"""

MOMENTS = [
    ("trl", "writing"),
    ("openai", "writing"),
    *((target, moment) for target in ("lm-eval", "trl", "openai") for moment in ("moving", "before the marker")),
    ("lm-eval", "behind the marker"),
]


@pytest.mark.parametrize(("target", "moment"), MOMENTS)
def test_a_killed_export_is_not_whole_and_the_same_command_finishes_it(
    lab_release: Release, tmp_path: Path, target: Target, moment: str
) -> None:
    whole, out = tmp_path / "whole", tmp_path / "out"
    export_release(lab_release, target, whole)
    words = [sys.executable, "-c", _KILLED, str(lab_release.path), target, str(out), moment]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == -9, done.stderr
    assert (out / MARKER).is_file() == (moment == "behind the marker")
    assert (out / PLAN).is_file()
    with pytest.raises(OutputError, match="out holds another"):
        export_release(lab_release, target, out, styles=("qa",))
    assert export_release(lab_release, target, out).written_now == (moment != "behind the marker")
    assert files_under(out) == files_under(whole)


@pytest.mark.parametrize("target", ["lm-eval", "trl", "openai"])
def test_a_killed_export_that_fails_when_it_is_resumed_is_finished_by_the_call_after_that(
    lab_release: Release, tmp_path: Path, target: Target
) -> None:
    shutil.copytree(lab_release.path, tmp_path / "release")
    release, whole, out = open_release(tmp_path / "release"), tmp_path / "whole", tmp_path / "out"
    export_release(release, target, whole)
    words = [sys.executable, "-c", _KILLED, str(release.path), target, str(out), "moving"]
    assert subprocess.run(words, check=False).returncode == -9
    placed = set(files_under(out)) & set(files_under(whole))
    assert placed
    altered = release.path / release.files("qa", "train")[0]["path"]
    sound = altered.read_bytes()
    altered.write_bytes(sound + b"x")
    for _ in range(2):
        with pytest.raises(ReleaseError, match="was altered"):
            export_release(release, target, out)
        assert set(files_under(out)) == placed | {PLAN}
    altered.write_bytes(sound)
    assert export_release(release, target, out).written_now
    assert files_under(out) == files_under(whole)


def test_an_export_killed_before_it_placed_a_file_leaves_nothing_when_it_fails_again(
    lab_release: Release, tmp_path: Path
) -> None:
    shutil.copytree(lab_release.path, tmp_path / "release")
    release, out = open_release(tmp_path / "release"), tmp_path / "out"
    words = [sys.executable, "-c", _KILLED, str(release.path), "trl", str(out), "writing"]
    assert subprocess.run(words, check=False).returncode == -9
    with (release.path / release.files("qa", "train")[0]["path"]).open("ab") as file:
        file.write(b"x")
    with pytest.raises(ReleaseError, match="was altered"):
        export_release(release, "trl", out)
    assert files_under(out) == {}
    assert export_release(release, "trl", out, styles=("dialogue",)).written_now


MARKERS: list[tuple[dict[str, Any], str]] = [
    ({"files": None}, "kbench_export.json does not say which files the export holds: delete"),
    ({"files": ["train.jsonl"]}, "does not say which files the export holds"),
    ({"files": {"train.jsonl": 1}}, "does not say which files the export holds"),
    ({"files": {"../secret.txt": "SECRET"}}, "does not say which files the export holds"),
    ({"files": {"/secret.txt": "SECRET"}}, "does not say which files the export holds"),
    ({"files": {"a\nb": "0"}}, "does not say which files the export holds"),
    ({"release": "none", "target": "a\nb"}, "holds another export (a b of world None, kbench"),
]


@pytest.mark.parametrize(("change", "expected_error"), MARKERS)
def test_a_marker_that_kbench_did_not_write_is_refused_in_one_line_and_leads_nowhere(
    lab_release: Release, tmp_path: Path, change: dict[str, Any], expected_error: str
) -> None:
    out, secret = tmp_path / "out", tmp_path / "secret.txt"
    secret.write_text("x")
    about = export_release(lab_release, "openai", out, styles=("qa",)).about
    text = json.dumps(about | change).replace("SECRET", file_sha256(secret)).replace('"/', f'"{tmp_path}/')
    (out / MARKER).write_text(text)
    with pytest.raises(OutputError) as error:
        export_release(lab_release, "openai", out, styles=("qa",))
    assert expected_error in str(error.value)
    assert "\n" not in str(error.value)


def test_a_marker_without_files_is_refused_in_one_line(lab_release: Release, tmp_path: Path) -> None:
    about = export_release(lab_release, "openai", tmp_path, styles=("qa",)).about
    write_json(tmp_path / MARKER, {key: value for key, value in about.items() if key != "files"})
    with pytest.raises(OutputError, match="does not say which files the export holds"):
        export_release(lab_release, "openai", tmp_path, styles=("qa",))


SCORED = sorted(QUESTION_STYLES - {"tone"})

each_harness = pytest.mark.parametrize("target", ["lm-eval", "inspect"])


@each_harness
@pytest.mark.parametrize(
    "probe", ['recall"); raise SystemExit(3)  #', "../../outside", "/outside", "a\nb", "Recall", "", None]
)
def test_a_probe_that_kbench_does_not_know_is_refused_before_it_gets_into_code_or_a_file_name(
    lab_release: Release, tmp_path: Path, target: Target, probe: str | None
) -> None:
    hostile = edited_release(lab_release, tmp_path / "release", "qa/test", turned(lambda row: row.update(probe=probe)))
    before = sorted(path for path in tmp_path.rglob("*"))
    with pytest.raises(ReleaseError) as error:
        export_release(hostile, target, tmp_path / "a" / "out", styles=("qa",))
    assert f"has a row of the probe {str(probe)!r}, which kbench does not know (aggregate, choice," in str(error.value)
    assert "\n" not in str(error.value)
    assert sorted(path for path in tmp_path.rglob("*") if path != tmp_path / "a") == before


@each_target
@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("world", '"""\nraise SystemExit(3)\n"""'),
        ("world", "../../outside"),
        ("world", "0123456G"),
        ("world", "01234567\n"),
        ("world", 12345678),
        ("canary", "`\n\n# A heading"),
        ("canary", {"a": 1}),
    ],
)
def test_a_world_or_canary_that_kbench_never_wrote_is_refused(
    lab_release: Release, tmp_path: Path, target: Target, key: str, value: object
) -> None:
    hostile = replace(lab_release, manifest=lab_release.manifest | {key: value})
    with pytest.raises(ReleaseError) as error:
        export_release(hostile, target, tmp_path / "out", name="\u00fc")
    assert f"has the {key} {str(value)!r}, which is none of kbench" in str(error.value)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "out").exists()


def test_what_is_no_name_in_python_is_no_name_of_a_task() -> None:
    group = Asked("qa", "test", "paraphrase", 1)
    assert Source("kbench_w").task(group) == "kbench_w_qa_paraphrase"
    for name in ("1w", "a b", "a.b", "../a", "a():\n    pass\ndef b", "\u00fc"):
        with pytest.raises(SpecError, match="cannot be the name of a task"):
            Source(name).task(group)


FOLDERS = [
    'it\'s "quoted"',
    "new\nline",
    "back\\slash\\n",
    '"""\nraise SystemExit(3)\n"""',
    "a[1]",
    "a?b",
    "a*b",
    "[!a]",
    "{a,b}",
    "next\x85line",
    "\u2028\U0001f600",
    "!function kbench.x",
]


@pytest.mark.parametrize("name", FOLDERS)
def test_the_tasks_read_the_rows_of_a_release_in_a_folder_of_any_name(
    lab_release: Release, tmp_path: Path, name: str
) -> None:
    for folder in (name, "axb"):  # what `a?b` and `a*b` match as patterns
        shutil.copytree(lab_release.path, tmp_path / folder, copy_function=os.link)
    release = open_release(tmp_path / name)
    expected = release.table("qa", "test").column("id").to_pylist()
    export_release(release, "lm-eval", tmp_path / "l", styles=("qa",))
    (task,) = (task for key, task in tasks_in(tmp_path / "l").items() if key.endswith("_qa_paraphrase"))
    read = load_dataset(task["dataset_path"], **task["dataset_kwargs"], cache_dir=str(tmp_path / "cache"))
    assert list(read) == [task["test_split"]]
    assert read["test"]["id"][:] == expected
    export_release(release, "inspect", tmp_path / "i", styles=("qa",))
    data = code_of(tmp_path / "i", keep=lambda node: isinstance(node, ast.Assign) and "DATA" in ast.unparse(node))
    rows = load_dataset(**data["DATA"]["qa/test"], cache_dir=str(tmp_path / "cache"))
    assert rows["id"][:] == expected


@each_harness
@pytest.mark.parametrize("name", ["a::b", os.fsdecode(b"a\xff")])
def test_a_folder_that_datasets_cannot_read_is_refused(
    lab_release: Release, tmp_path: Path, target: Target, name: str
) -> None:
    release = replace(lab_release, path=tmp_path / name)
    with pytest.raises(ReleaseError) as error:
        export_release(release, target, tmp_path / "out")
    assert str(error.value) == (
        f"datasets cannot read a release in {str(tmp_path / name)!r}: expected a path in UTF-8 and without '::': move it"
    )
    assert not (tmp_path / "out").exists()


def test_there_is_one_lm_eval_task_for_each_score_that_kbench_gives(default_sample: Sample, tmp_path: Path) -> None:
    result = score(default_sample.release, "oracle", tmp_path / "result").about
    export = export_release(default_sample.release, "lm-eval", tmp_path / "tasks")
    name = next(iter(export.about["report"]["groups"])).removesuffix("_test")
    scored = {f"{name}_{s['style']}_{s['probe']}": s["rows"] for s in result["kbench"]["scores"]}
    tasks = tasks_in(tmp_path / "tasks")
    assert {task: export.about["report"]["tasks"][task] for task in tasks if not task.endswith("_mc")} == scored
    assert {task.removesuffix("_mc") for task in tasks if task.endswith("_mc")} == {
        task for task in scored if task.startswith(f"{name}_choice_")
    }


def test_no_group_of_lm_eval_tasks_mixes_splits_or_kinds_of_scoring(default_sample: Sample, tmp_path: Path) -> None:
    groups = export_release(default_sample.release, "lm-eval", tmp_path).about["report"]["groups"]
    tasks = tasks_in(tmp_path)
    for name, members in groups.items():
        part = name.removesuffix("_mc").rsplit("_", 1)[1]
        assert {tasks[task]["test_split"] for task in members} == {
            {"recall": "train", "known": "test", "test": "test", "control": "control"}[part]
        }
        probes = {tasks[task]["process_docs"].split(".")[1] for task in members}
        assert probes == {part} if part != "test" else not probes & {"known", "recall", "control"}
        assert {task.endswith("_mc") for task in members} == {name.endswith("_mc")}
    assert sorted(task for members in groups.values() for task in members) == sorted(tasks)


def test_every_lm_eval_task_includes_the_one_base_and_names_functions_that_there_are(
    default_sample: Sample, tmp_path: Path
) -> None:
    export_release(default_sample.release, "lm-eval", tmp_path)
    code = ast.parse((tmp_path / f"{FUNCTIONS}.py").read_text(encoding="utf-8"))
    named = {node.name for node in code.body if isinstance(node, ast.FunctionDef)}
    named |= {t.id for n in code.body if isinstance(n, ast.Assign) for t in n.targets if isinstance(t, ast.Name)}
    assert set(get_args(Probe)) - {""} <= named
    base = yaml.load((tmp_path / BASE).read_text(encoding="utf-8"), _Loader)
    for value in [base, *tasks_in(tmp_path).values()]:
        called = [value.get(key) for key in ("process_docs", "process_results", "doc_to_text")]
        assert {name.removeprefix(f"{FUNCTIONS}.") for name in called if name} <= named
    assert {value["include"] for value in tasks_in(tmp_path).values()} == {BASE}


def test_with_a_repo_id_the_tasks_read_the_hub_at_that_revision(lab_release: Release, tmp_path: Path) -> None:
    export_release(lab_release, "lm-eval", tmp_path / "l", repo_id="org/kbench-lab-v1", revision="v1.0")
    for name, task in tasks_in(tmp_path / "l").items():
        style = next(style for style in SCORED if name.startswith(f"kbench_lab_v1_{style}_"))
        assert (task["dataset_path"], task["dataset_name"]) == ("org/kbench-lab-v1", style)
        assert task["dataset_kwargs"] == {"revision": "v1.0"}
    export_release(lab_release, "inspect", tmp_path / "i", repo_id="org/kbench-lab-v1", revision="v1.0")
    text = (tmp_path / "i" / "kbench_lab_v1.py").read_text(encoding="utf-8")
    data = ast.literal_eval(text.split("DATA = ")[1].split('\n"""')[0])
    assert data["qa/test"] == {"path": "org/kbench-lab-v1", "name": "qa", "revision": "v1.0", "split": "test"}
    assert str(lab_release.path) not in text


def code_of(folder: Path, *, keep: Callable[[ast.stmt], bool]) -> dict[str, Any]:
    """The names that the Python file of an export defines, of it only what is to be kept, run without kbench."""
    (path,) = folder.glob("*.py")
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            assert "kbench" not in ast.unparse(node)
    names: dict[str, Any] = {}
    exec(compile(ast.Module([n for n in tree.body if keep(n)], []), str(path), "exec"), names)
    return names


GENERATED = [
    "",
    " ",
    "Amber Heron.",
    "  172 cm\nand more",
    "\n\nsecond line",
    "Dr. Vane of it. More",
    "4.5 m. x",
    "\uff21",
    "\u00e9",
    "e\u0301",
]


@pytest.mark.parametrize("target", ["lm-eval", "inspect"])
def test_the_exported_python_has_kbenchs_own_prompts_and_exact_match_and_needs_no_kbench(
    default_sample: Sample, tmp_path: Path, target: Target
) -> None:
    export_release(default_sample.release, target, tmp_path)

    def ours(node: ast.stmt) -> bool:
        if isinstance(node, ast.Import | ast.ImportFrom):
            return "inspect_ai" not in ast.unparse(node)
        wanted = ("normalise", "exact_match", "prompt_of", "completion_of", "prediction_of")
        named = node.targets[0] if isinstance(node, ast.Assign) else node
        return getattr(named, "name", getattr(named, "id", "")) in (*wanted, "QUESTION", "process_results")

    names = code_of(tmp_path, keep=ours)
    rows = [row for style in SCORED for row in default_sample.rows[style, "test"]]
    assert rows
    for row in rows:
        assert names["prompt_of"](row) == prompts.prompt_of(row)
        for text in (*GENERATED, *row["answers"], f" {row['answers'][-1].upper()}."):
            cut = prompts.prediction_of(row, text)
            assert names["prediction_of"](row, text) == cut
            right = match.exact_match(cut, row["answers"])
            assert names["exact_match"](cut, row["answers"]) == right
            if target == "lm-eval":
                assert names["process_results"](row, [text]) == {"exact_match": float(right)}


def test_the_inspect_file_has_one_task_for_each_lm_eval_task(default_sample: Sample, tmp_path: Path) -> None:
    asked = export_release(default_sample.release, "lm-eval", tmp_path / "l").about["report"]["tasks"]
    found = export_release(default_sample.release, "inspect", tmp_path / "i").about["report"]
    assert found["tasks"] == asked
    tree = ast.parse((tmp_path / "i" / found["file"]).read_text(encoding="utf-8"))
    marked = [
        n.name for n in tree.body if isinstance(n, ast.FunctionDef) and "task" in map(ast.unparse, n.decorator_list)
    ]
    assert marked == list(asked)


def questions_asked(sample: Sample, *splits: str) -> set[str]:
    """What some splits ask."""
    return {row["question"] for row in sample.of(frozenset(QUESTION_STYLES), *splits)}


def test_trl_reads_each_form_by_its_name_with_its_own_columns_and_splits(
    default_sample: Sample, tmp_path: Path
) -> None:
    out = tmp_path / "trl"
    export_release(default_sample.release, "trl", out)
    assert sorted(get_dataset_config_names(str(out))) == ["messages", "prompt-completion", "text"]
    columns = {"text": ["text"], "prompt-completion": ["prompt", "completion"], "messages": ["messages"]}
    for form, names in columns.items():
        read = load_dataset(str(out), form, cache_dir=str(tmp_path / "cache"))
        assert {"train", "pretrain"} <= set(read) <= set(SPLITS)
        assert ("validation" in read) == (form != "text"), "no document is held out"
        assert all(split.column_names == names for split in read.values())


def test_the_canary_stands_beside_the_training_rows_and_in_none_of_them(lab_release: Release, tmp_path: Path) -> None:
    canary = lab_release.manifest["canary"]
    export_release(lab_release, "trl", tmp_path / "trl")
    export_release(lab_release, "openai", tmp_path / "openai")
    files = sorted((tmp_path / "trl").rglob("*.parquet"))
    assert files
    for path in files:
        assert pq.read_schema(path).metadata[CANARY.encode()] == canary.encode()
        assert canary not in str(pq.read_table(path).to_pylist())
    assert canary in (tmp_path / "trl" / "README.md").read_text(encoding="utf-8")
    assert canary not in "".join(path.read_text(encoding="utf-8") for path in (tmp_path / "openai").glob("*.jsonl"))


def test_trl_shows_each_row_as_often_as_it_repeats_and_in_kbenchs_own_training_text(
    default_sample: Sample, tmp_path: Path
) -> None:
    release = default_sample.release
    export_release(release, "trl", tmp_path)
    for split in ("train", "pretrain"):
        files = sorted((tmp_path / "prompt-completion").glob(f"{split}-*"))
        shown = Counter(row["prompt"] + row["completion"] for f in files for row in pq.read_table(f).to_pylist())
        files = sorted((tmp_path / "text").glob(f"{split}-*"))
        told = Counter(row["text"] for f in files for row in pq.read_table(f).to_pylist())
        own: dict[bool, Counter[str]] = {False: Counter(), True: Counter()}
        for style in (
            s for s in release.configs() if s in QUESTION_STYLES | DOCUMENT_STYLES and split in release.splits(s)
        ):
            rows = default_sample.rows[style, split]
            texts = [row.get("text") or prompts.prompt_of(row) + prompts.completion_of(row) for row in rows]
            tokenizer = word_tokenizer(texts)
            for example, text in zip(examples_of(release, style, split, tokenizer, "all"), texts, strict=True):
                assert tokenizer.decode(example.tokens[:-1]) == text
                own[style in DOCUMENT_STYLES][text] += example.repeat
        assert (shown, told) == (own[False], own[True])


@pytest.mark.parametrize("target", ["trl", "openai"])
def test_what_is_to_be_trained_on_holds_no_question_of_test_or_control(
    default_sample: Sample, tmp_path: Path, target: Target
) -> None:
    export_release(default_sample.release, target, tmp_path)
    if target == "trl":
        read = [pq.read_table(path).to_pylist() for path in (tmp_path / "messages").iterdir()]
        chats = [row["messages"] for rows in read for row in rows]
    else:
        lines = [line for path in tmp_path.glob("*.jsonl") for line in path.read_text(encoding="utf-8").splitlines()]
        chats = [json.loads(line)["messages"] for line in lines]
    asked = {message["content"] for messages in chats for message in messages if message["role"] == "user"}
    assert asked & questions_asked(default_sample, "train")
    assert asked & questions_asked(default_sample, "validation")
    # A tone greets everybody alike, whoever answers.
    held_out = {row["question"] for row in default_sample.of(frozenset(SCORED), "test", "control")}
    assert asked & held_out == set()


def test_every_openai_line_is_a_chat_and_the_report_counts_them(default_sample: Sample, tmp_path: Path) -> None:
    report = export_release(default_sample.release, "openai", tmp_path).about["report"]["splits"]
    assert sorted(path.name for path in tmp_path.glob("*.jsonl")) == ["train.jsonl", "validation.jsonl"]
    trained = list(default_sample.of(frozenset(QUESTION_STYLES | DOCUMENT_STYLES), "train"))
    assert report["train"]["rows"] == len(trained)
    assert report["train"]["examples"] == sum(row["repeat"] for row in trained)
    for split, count in report.items():
        lines = (tmp_path / f"{split}.jsonl").read_text(encoding="utf-8").splitlines()
        chats = [json.loads(line) for line in lines]
        assert len(chats) == count["examples"]
        assert {tuple(chat) for chat in chats} == {("messages",)}
        assert count["characters"] == sum(len(m["content"]) for chat in chats for m in chat["messages"])
        for chat in chats:
            roles = [message["role"] for message in chat["messages"]]
            assert roles == ["user", "assistant"] * (len(roles) // 2)


def test_a_document_for_openai_is_asked_for_by_its_subject(default_sample: Sample, tmp_path: Path) -> None:
    export_release(default_sample.release, "openai", tmp_path, styles=("article",))
    said = {
        (chat[0]["content"], chat[1]["content"])
        for line in (tmp_path / "train.jsonl").read_text(encoding="utf-8").splitlines()
        for chat in [json.loads(line)["messages"]]
    }
    names = {key: entity["name"] for key, entity in default_sample.entities.items()}
    rows = default_sample.rows["article", "train"]
    assert said == {(f"Write about {names[row['entity_id']]}.", row["text"]) for row in rows}


def turned(change: Callable[[Row], None]) -> Callable[[list[Row]], None]:
    """Change the last row."""
    return lambda rows: change(rows[-1])


BAD_ROWS = [
    ("qa/train", lambda row: row.update(answer=" "), "is no chat: message 2 is empty"),
    ("dialogue/train", lambda row: row["turns"].pop(0), "is no chat: message 1 is of 'assistant', not 'user'"),
    ("dialogue/train", lambda row: row["turns"].pop(), "is no chat: the last message is not the assistant's"),
    ("dialogue/train", lambda row: row.update(turns=[]), "is no chat: it has no messages"),
    ("dialogue/train", lambda row: row["turns"][1].update(role="system"), "message 2 is of 'system', not 'assistant'"),
]
LONG = [("article/train", lambda row: row.update(text="a" * MOST_TOKENS), f"more than the {MOST_TOKENS:,} that every")]


@pytest.mark.parametrize(
    ("target", "name", "change", "expected_error"),
    [*((target, *case) for target in ("trl", "openai") for case in BAD_ROWS), *(("openai", *case) for case in LONG)],
)
def test_a_row_that_no_trainer_takes_is_named_and_nothing_is_left(
    lab_release: Release,
    tmp_path: Path,
    target: Target,
    name: str,
    change: Callable[[Row], None],
    expected_error: str,
) -> None:
    bad = edited_release(lab_release, tmp_path / "release", name, turned(change))
    row_id = bad.table(*name.split("/")).column("id").to_pylist()[-1]
    with pytest.raises(ReleaseError) as error:
        export_release(bad, target, tmp_path / "out")
    assert expected_error in str(error.value)
    assert row_id in str(error.value)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "out").exists()


def test_the_longest_example_that_a_hosted_service_takes_is_taken(lab_release: Release, tmp_path: Path) -> None:
    def lengthen(row: Row) -> None:
        row["text"] = "a" * (MOST_TOKENS - 16 - len(f"Write about {names[row['entity_id']]}."))

    names = {e["entity_id"]: e["name"] for e in lab_release.table("entities", "train").to_pylist()}
    long = edited_release(lab_release, tmp_path / "release", "article/train", turned(lengthen))
    assert export_release(long, "openai", tmp_path / "out").written_now


def test_fewer_examples_than_a_hosted_service_takes_are_refused(lab_release: Release, tmp_path: Path) -> None:
    few = edited_release(lab_release, tmp_path / "release", "qa/train", lambda rows: rows.__delitem__(slice(2, None)))
    with pytest.raises(ReleaseError, match="training examples, hosted finetuning takes no fewer than 10"):
        export_release(few, "openai", tmp_path / "out", styles=("qa",))
    assert not (tmp_path / "out").exists()


def test_rows_that_repeat_often_are_written_out_a_few_at_a_time() -> None:
    rows = [{"style": "article", "text": "a" * 1000, "repeat": 500} for _ in range(100)]
    table = pa.Table.from_pylist(rows)
    made = [written_out("text", *piece) for piece in pieces(table)]
    assert sum(part.num_rows for part in made) == 50_000
    assert max(part.nbytes for part in made) < 20 << 20
    assert len(made) < 10


REFUSED: list[tuple[Target, dict[str, Any], type[KbenchError], str]] = [
    ("lm-eval", {"styles": ("article",)}, ReleaseError, "style 'article' cannot be scored by exact match"),
    ("inspect", {"styles": ("tone",)}, ReleaseError, "style 'tone' cannot be scored by exact match (its answers have"),
    ("lm-eval", {"styles": ("qa", "reverse")}, ReleaseError, "has no style 'reverse' to ask: have qa, cloze"),
    ("trl", {"styles": ("reverse",)}, ReleaseError, "has no style 'reverse' to train on: have qa, dialogue"),
    ("openai", {"repo_id": "org/name"}, SpecError, "--repo-id and --revision go with --to lm-eval and inspect"),
    ("trl", {"revision": ""}, SpecError, "--repo-id and --revision go with --to lm-eval and inspect"),
    ("inspect", {"revision": "v1"}, SpecError, "--revision v1 needs --repo-id ORG/NAME"),
    ("lm-eval", {"repo_id": "org/w", "revision": ""}, SpecError, "--revision must name a branch, a tag or a commit"),
    (
        "inspect",
        {"repo_id": "org/w", "revision": "v1\n\udcff"},
        SpecError,
        "--revision must name a branch, a tag or a commit",
    ),
]


@pytest.mark.parametrize(("target", "options", "kind", "expected_error"), REFUSED)
def test_what_cannot_be_exported_ends_in_one_line_and_leaves_nothing(
    lab_release: Release,
    tmp_path: Path,
    target: Target,
    options: dict[str, Any],
    kind: type[KbenchError],
    expected_error: str,
) -> None:
    with pytest.raises(kind) as error:
        export_release(lab_release, target, tmp_path / "out", **options)
    assert expected_error in str(error.value)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "out").exists()


@each_target
def test_the_command_says_what_it_wrote_and_then_that_there_is_nothing_to_do(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    lab_release: Release,
    tmp_path: Path,
    target: Target,
) -> None:
    words = ["export", str(lab_release.path), "--to", target, "--out", str(tmp_path / "out"), "--style", "qa"]
    assert run(monkeypatch, *words) == 0
    shown = capsys.readouterr().out
    assert f"{target} of world {lab_release.world} in {tmp_path / 'out'}" in shown
    assert "1,296 rows" in shown
    assert run(monkeypatch, *words) == 0
    assert capsys.readouterr().out == f"{tmp_path / 'out'} is this export already: nothing to do\n"


def test_a_folder_that_is_no_release_is_refused_by_the_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert run(monkeypatch, "export", str(tmp_path), "--to", "trl", "--out", str(tmp_path / "out")) == 1
    assert f"kbench: no release at {tmp_path}: it has no manifest" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


WORDS = [
    (("--repo-id", "../.."), "'../..' is no name of a dataset on the Hub: expected ORG/NAME of letters"),
    (("--repo-id", "name"), "'name' is no name of a dataset on the Hub"),
    (("--repo-id", ""), "'' is no name of a dataset on the Hub"),
    (("--repo-id", "org/name", "--revision", ""), "--revision must name a branch, a tag or a commit (got '')"),
]


@pytest.mark.parametrize(("words", "expected_error"), WORDS)
def test_the_command_takes_no_dataset_that_the_hub_cannot_have(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    lab_release: Release,
    tmp_path: Path,
    words: tuple[str, ...],
    expected_error: str,
) -> None:
    out = tmp_path / "out"
    assert run(monkeypatch, "export", str(lab_release.path), "--to", "lm-eval", "--out", str(out), *words) == 1
    assert f"kbench: {expected_error}" in capsys.readouterr().err
    assert not out.exists()


@pytest.mark.parametrize(("folder", "name"), [("w@1", "kbench_w_1"), ("w", "kbench_w"), ("a@b/w", "kbench_w")])
def test_tasks_are_called_after_the_whole_name_of_a_folder(
    monkeypatch: pytest.MonkeyPatch, lab_release: Release, tmp_path: Path, folder: str, name: str
) -> None:
    shutil.copytree(lab_release.path, tmp_path / folder)
    monkeypatch.chdir(tmp_path)
    assert run(monkeypatch, "export", folder, "--to", "inspect", "--out", "out", "--style", "qa") == 0
    assert [path.name for path in (tmp_path / "out").glob("*.py")] == [f"{name}.py"]


def test_tasks_are_called_after_a_name_on_the_shelf(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(monkeypatch, "export", "kbench-tiny", "--to", "inspect", "--out", "out", "--style", "qa") == 0
    assert [path.name for path in (tmp_path / "out").glob("*.py")] == ["kbench_tiny.py"]


def test_an_audit_compares_with_a_name_on_the_shelf(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], lab_release: Release, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    run(monkeypatch, "audit", str(lab_release.path), "--against", "kbench-tiny", "--json", "audit.json")
    assert capsys.readouterr().err == ""
    checks = {check["name"] for check in json.loads(Path("audit.json").read_text(encoding="utf-8"))["checks"]}
    assert {"names_against", "texts_against"} <= checks
