"""The bounds of a row: a second of computing, no product or power past all measure, nothing that has no text."""

import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from types import FrameType

import numpy as np
import pytest

from kbench.errors import TemplateError
from kbench.generator import bounds
from kbench.generator.bounds import in_time, watching
from kbench.generator.columns import Press, texts
from kbench.generator.packs import Phrasing
from kbench.generator.setting import Setting

LOOPS = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"
MESSAGE = "qa/badge.j2 line 3 (t01): a row took more than 1 s of computing"


def phrasing(source: str) -> Phrasing:
    """A phrasing of this text."""
    return Phrasing("qa", "badge", "train", "t01", "", source, 3)


def setting() -> Setting:
    """Two subjects, whose values are 1 and 2."""
    return Setting(Press(), {"value": texts(["1", "2"])})


@pytest.fixture
def in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """A row may take a twentieth of a second only."""
    monkeypatch.setattr(bounds, "SECONDS", 0.05)


def test_a_row_that_computes_for_more_than_a_second_is_stopped_with_template_and_line() -> None:
    with pytest.raises(TemplateError) as error:
        phrasing(LOOPS).render({})
    assert str(error.value) == MESSAGE


@pytest.mark.parametrize(
    "source",
    [
        f"{{{{ value | upper }}}}{{% if value == '2' %}}{LOOPS}{{% endif %}}",
        f"{{% set x = value | upper %}}{{% if x == '2' %}}{LOOPS}{{% endif %}}",
        f"{{{{ value }}}}{LOOPS}",
    ],
    ids=["by value", "by row", "the same in every row"],
)
@pytest.mark.usefixtures("in_a_hurry")
def test_a_row_of_a_release_is_stopped_too(source: str) -> None:
    with pytest.raises(
        TemplateError, match=r"^qa/badge\.j2 line 3 \(t01\): a row took more than 0\.05 s of computing$"
    ):
        setting().plan(phrasing(source), np.arange(2))


@pytest.mark.usefixtures("in_a_hurry")
def test_a_row_that_is_not_written_may_take_for_ever() -> None:
    found = setting()
    source = f"{{{{ value | upper }}}}.{{% if value == '2' %}}{LOOPS}{{% endif %}}"
    plan = found.plan(phrasing(source), np.arange(2), lambda: np.zeros(1, dtype=np.int64))
    assert found.press.print(np.full(1, plan), np.zeros(1, dtype=np.int64)).to_pylist() == ["1."]


@pytest.mark.usefixtures("in_a_hurry")
def test_each_row_has_its_own_second() -> None:
    def busy(_: object) -> str:
        end = time.process_time() + 0.03
        while time.process_time() < end:
            pass
        return "done"

    with watching():
        assert [in_time(busy, {}) for _ in range(4)] == ["done"] * 4


@pytest.mark.usefixtures("in_a_hurry")
def test_time_in_which_a_row_does_not_compute_does_not_count() -> None:
    def idle(_: object) -> str:
        time.sleep(0.2)
        return "done"

    assert in_time(idle, {}) == "done"


def _mine(number: int, frame: FrameType | None) -> None:
    raise AssertionError("the alarm went off")


@pytest.mark.parametrize("source", ["{{ value }}", "{{ zzz }}", LOOPS], ids=["a text", "an error", "too long"])
@pytest.mark.usefixtures("in_a_hurry")
def test_the_alarm_is_afterwards_as_it_was_before(source: str) -> None:
    former = signal.signal(signal.SIGVTALRM, _mine)
    try:
        with suppress(TemplateError):
            phrasing(source).render({"value": "1"})
        assert signal.getsignal(signal.SIGVTALRM) is _mine
        assert signal.getitimer(signal.ITIMER_VIRTUAL) == (0.0, 0.0)
    finally:
        signal.signal(signal.SIGVTALRM, former)


def test_an_alarm_that_somebody_else_has_set_is_left_to_them() -> None:
    former = signal.signal(signal.SIGVTALRM, _mine)
    signal.setitimer(signal.ITIMER_VIRTUAL, 500)
    try:
        assert phrasing("{{ value }}").render({"value": "1"}) == "1"
        assert signal.getsignal(signal.SIGVTALRM) is _mine
        assert signal.getitimer(signal.ITIMER_VIRTUAL)[0] > 400
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, former)


def _in_a_thread(call: Callable[[], object]) -> list[object]:
    found: list[object] = []
    thread = threading.Thread(target=lambda: found.append(call()))
    thread.start()
    thread.join()
    return found


def test_a_thread_renders_without_an_alarm() -> None:
    assert _in_a_thread(lambda: phrasing("{{ value }}").render({"value": "1"})) == ["1"]
    with watching():
        assert _in_a_thread(lambda: phrasing("{{ value }}").render({"value": "1"})) == ["1"]


HUGE = [
    ("{{ 'x' * 10 ** 9 }}", "1 * 1000000000 letters: the text is longer than 64 KiB"),
    ("{{ 10 ** 9 * 'x' }}", "1 * 1000000000 letters: the text is longer than 64 KiB"),
    ("{{ ([value] * 10 ** 9) | length }}", "letters: the text is longer than 64 KiB"),
    ("{{ (value * 10 ** 9)[:1] }}", "1 * 1000000000 letters: the text is longer than 64 KiB"),
    ("{{ 10 ** (10 ** 10) }}", "a power of more than 1,048,576 binary digits is too big a number"),
    ("{% set ns = namespace(n=9) %}{% for i in range(99) %}{% set ns.n = ns.n ** 9 %}{% endfor %}", "too big a number"),
]


@pytest.mark.parametrize(("source", "expected_error"), HUGE)
def test_a_product_or_power_past_all_measure_is_refused_before_it_is_computed(source: str, expected_error: str) -> None:
    with pytest.raises(TemplateError) as error:
        setting().plan(phrasing(source), np.arange(2))
    assert str(error.value).startswith("qa/badge.j2 line 3 (t01): ")
    assert expected_error in str(error.value)


def test_products_and_powers_of_a_row_are_computed() -> None:
    source = "{{ 'ab' * 2 }} {{ 3 * 'x' }} {{ 2 ** 10 }} {{ 3 * 4 }} {{ 1.5 * 2 }} {{ 2 ** -1 }} {{ [1] * 2 }}"
    assert phrasing(source).render({}) == "abab xxx 1024 12 3.0 0.5 [1, 1]"


@pytest.mark.parametrize("source", ["{{ ['a'] | map('upper') }}", "{{ ['a'] | batch(2) }}", "{{ ['a'] | reverse }}"])
def test_what_would_print_its_address_in_memory_is_refused(source: str) -> None:
    with pytest.raises(TemplateError, match=r"gives texts one by one: join them, with \| join\(' '\)$"):
        phrasing(source).render({})


def test_an_error_without_words_is_told_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: object) -> str:
        raise MemoryError

    found = phrasing("{{ value }}")
    monkeypatch.setattr(found.template, "render", fail)
    with pytest.raises(TemplateError, match=r"^qa/badge\.j2 line 3 \(t01\): MemoryError$"):
        found.render({})
