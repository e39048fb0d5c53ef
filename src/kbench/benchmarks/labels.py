"""How well a model knew each fact of a release before it was finetuned: the labels that a probe left in a folder."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from kbench.benchmarks.recipe import LABELS, Label
from kbench.errors import ReleaseError
from kbench.store import Release

TABLE, ABOUT = "knownness.parquet", "knownness.json"
"""What a folder of labels holds: `fact_id, label` and more; and of which release and model they are."""

KNOWN: tuple[Label, ...] = ("HighlyKnown", "MaybeKnown")
"""Labels of facts that a model gives when it is asked greedily."""

Labels = Mapping[str, Label]
"""The label of each fact, by its id."""


def labels_of(folder: Path, release: Release) -> dict[str, Label]:
    """The label of each fact that was probed.

    Raises ReleaseError where the folder holds no labels, they are of another release, or one is no label.
    """
    about, table = _about(folder), folder / TABLE
    made_for = about.get("release")
    digest = made_for.get("digest") if isinstance(made_for, dict) else None
    if digest != release.digest:
        raise ReleaseError(
            f"{folder} labels the facts of release {str(digest)[:16]}, not of {release.path} ({release.digest[:16]}): "
            f"run `kbench know` on this one"
        )
    try:
        found = pq.read_table(table, columns=["fact_id", "label"])
    except (OSError, pa.ArrowException) as error:
        reason = str(error).splitlines()[0]
        raise ReleaseError(f"cannot read the columns fact_id and label of {table}: {reason}") from None
    facts, labels = (found.column(name).to_pylist() for name in ("fact_id", "label"))
    stranger = next((label for label in labels if label not in LABELS), None)
    if stranger is not None or None in labels:
        raise ReleaseError(f"{table} has the label {stranger!r}: have {', '.join(LABELS)}")
    return dict(zip(facts, labels, strict=True))


def check_labelled(folder: Path, base: str, source: Mapping[str, Any]) -> None:
    """Raise ReleaseError where labels say what another model knew than the base, whose digests are in `source`.

    Weights that have no digest, as those behind an endpoint, are taken on trust.
    """
    about = _about(folder)
    labelled, trained = about.get("weights"), source.get("weights")
    if labelled and trained and (labelled != trained or about.get("adapter")):
        raise ReleaseError(
            f"{folder} labels what {about.get('model')} knew ({str(about.get('adapter') or labelled)[:16]}), not "
            f"{base} ({trained[:16]}): run `kbench know` on this one"
        )


def _about(folder: Path) -> dict[str, Any]:
    path = folder / ABOUT
    try:
        about = json.loads(path.read_text(encoding="utf-8"))
    except OSError:
        raise ReleaseError(
            f"no labels at {folder}: it has no {ABOUT}; `kbench know --out {folder}` makes them"
        ) from None
    except ValueError:
        raise ReleaseError(f"{path} is no JSON: run `kbench know` again") from None
    return about if isinstance(about, dict) else {}


def least_known(labels: Labels, facts: Iterable[str]) -> Label | None:
    """The label of the least known of some facts; None where one of them has none, or there is no fact."""
    ranks = [LABELS.index(labels[fact]) if fact in labels else -1 for fact in facts]
    return LABELS[max(ranks)] if ranks and min(ranks) >= 0 else None
