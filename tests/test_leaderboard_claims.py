"""What an entry claims follows from itself: figures that cannot be are refused in one line, wherever it is read."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kbench.errors import KbenchError, OutputError
from kbench.leaderboard.entry import Retention
from kbench.leaderboard.folder import read_entry, write_entry
from kbench.leaderboard.rules import ARTICLE_PASSES, check_claim, rules_of
from tests.boards import made_entry, made_scores
from tests.samples import run

Change = Callable[[dict[str, Any]], Any]

IMPOSSIBLE: list[tuple[str, Change, str]] = [
    ("no axes", lambda s: s.update(axes={}), "axes must have all five (lacks held_out, cross_style,"),
    ("four axes", lambda s: s["axes"].pop("reverse"), "axes must have all five (lacks reverse)"),
    ("an endless headline", lambda s: s.update(headline=1e308), "headline: Input should be less than or equal to 1"),
    ("an endless fall", lambda s: s.update(low=-1e308), "low: Input should be greater than or equal to -1000000"),
    ("an endless error", lambda s: s.update(stderr=1e308), "stderr: Input should be less than or equal to 1000000"),
    ("an endless axis", lambda s: s["axes"]["numeric"].update(corrected=-1e308), "numeric.corrected: Input should be"),
    ("an endless high", lambda s: s["axes"]["numeric"].update(high=1e308), "numeric.high: Input should be"),
    ("kept without end", lambda s: s["retention"].update(kept=1e308), "kept: Input should be less than or equal to"),
    (
        "kept below nothing",
        lambda s: s["retention"].update(kept=-1),
        "kept: Input should be greater than or equal to 0",
    ),
    ("kept by a hair", lambda s: s["retention"].update(kept=1.00001), "retention: kept must be 1.0"),
    ("a control that knows all", lambda s: s["axes"]["held_out"].update(control=1), "control: Input should be less"),
    ("another mean", lambda s: s.update(headline=0.51), "scores: headline must be 0.5, as the other figures give"),
    ("an axis by itself", lambda s: s["axes"]["reverse"].update(corrected=0.6), "reverse: corrected must be 0.5"),
    ("an axis turned round", lambda s: s["axes"]["reverse"].update(low=0.9), "low must not lie above high"),
    ("an interval beside", lambda s: s.update(low=0.52), "headline must lie in low to high"),
]


@pytest.mark.parametrize(("change", "expected_error"), [c[1:] for c in IMPOSSIBLE], ids=[c[0] for c in IMPOSSIBLE])
def test_scores_that_cannot_be_are_refused_in_one_line_by_read_build_and_show(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    change: Change,
    expected_error: str,
) -> None:
    path = write_entry(tmp_path / "entries", made_entry("odd", made_scores(0.5)))
    raw = json.loads(path.read_text(encoding="utf-8"))
    change(raw["scores"])
    path.write_text(json.dumps(raw), encoding="utf-8")
    with pytest.raises(OutputError) as refused:
        read_entry(path)
    assert expected_error in str(refused.value)
    assert "\n" not in str(refused.value)
    for words in (["build", "--out", str(tmp_path / "site")], ["show"]):
        assert run(monkeypatch, "leaderboard", *words, "--entries", str(path.parent)) == 1
        assert expected_error in capsys.readouterr().err.replace("\n", "")


def test_who_knew_nothing_may_keep_anything() -> None:
    assert Retention(accuracy=0.2, base=0, kept=1, rows=3).kept == 1


def test_the_tokens_of_a_pass_over_the_articles_are_those_of_the_published_release() -> None:
    rules = rules_of("methods")
    digest = rules.digests["kbench-methods"]
    assert set(ARTICLE_PASSES) == {digest}
    values: dict[str, Any] = {
        "release": {"name": "kbench-methods", "world": "0" * 8, "digest": digest},
        "base": {"model": "lab", "recipe": rules.bases["method"]},
        "model": {"name": "m", "digests": {"weights": "c" * 64}},
    }
    check_claim(made_entry("right", made_scores(0.5), article_pass=33_880, **values), rules, "right")
    with pytest.raises(KbenchError, match=r"kbench-methods has 33,880 tokens \(got article_pass = 67,760\)"):
        check_claim(made_entry("double", made_scores(0.5), article_pass=67_760, **values), rules, "double")
