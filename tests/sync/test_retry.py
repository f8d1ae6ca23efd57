"""Attempts and back-off in virtual time: seconds since the epoch, given by hand."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from homeostat.model import times
from homeostat.model.objects import Key
from homeostat.model.sync import Operation, OperationPhase, OperationState, Phase, ResultCode, TaskResult
from homeostat.sync.retry import after_failure, delay, heal_delay, next_attempt, waiting_until

START = times.parse("2026-11-21T07:55:57Z")
RESULT = TaskResult(Key("", "ConfigMap", "a", "b"), "v1", Phase.SYNC, ResultCode.SYNC_FAILED, "no", hook_phase=OperationPhase.FAILED)


def failed(*, limit: int = 5, count: int = 0, phase: OperationPhase = OperationPhase.FAILED) -> OperationState:
    operation = Operation(retry_limit=limit)
    return OperationState(operation, phase, message="it failed", started_at="2026-11-21T07:53:26Z", retry_count=count, results=(RESULT,))


def test_a_failed_attempt_waits_with_phase_running_and_says_until_when() -> None:
    waiting = after_failure(failed(count=4), now=START)
    assert waiting.phase is OperationPhase.RUNNING
    assert (waiting.retry_count, waiting.finished_at) == (5, "2026-11-21T07:55:57Z")
    assert waiting.message == "it failed. Retrying attempt #5 at 7:57AM."
    assert waiting.results == (RESULT,)
    assert waiting_until(waiting) == START + 80


def test_the_waits_grow_up_to_the_cap_and_the_message_names_the_real_time() -> None:
    now, waits = START, []
    state = failed(limit=8)
    for _ in range(8):
        state = after_failure(state, now=now)
        due = waiting_until(state)
        assert due is not None
        assert f" at {times.clock(due)}." in state.message
        waits.append(due - now)
        now = due
        state = replace(next_attempt(state), phase=OperationPhase.FAILED, message="again")
    assert waits == [5, 10, 20, 40, 80, 160, 180, 180]


def test_a_new_attempt_has_done_nothing_and_keeps_its_start() -> None:
    again = next_attempt(after_failure(failed(), now=START))
    assert (again.phase, again.results, again.finished_at, again.message) == (OperationPhase.RUNNING, (), "", "")
    assert (again.started_at, again.retry_count) == ("2026-11-21T07:53:26Z", 1)
    assert waiting_until(again) is None


def test_when_the_attempts_are_used_up_it_is_over() -> None:
    over = after_failure(failed(limit=2, count=2), now=START)
    assert (over.phase, over.message) == (OperationPhase.FAILED, "it failed (retried 2 times).")
    assert after_failure(failed(limit=0), now=START).message == "it failed"


def test_without_limit_there_is_always_another_attempt() -> None:
    waiting = after_failure(failed(limit=-1, count=10_000), now=START)
    assert waiting_until(waiting) == START + 180


@pytest.mark.parametrize("phase", [OperationPhase.SUCCEEDED, OperationPhase.TERMINATING])
def test_only_failures_are_tried_again(phase: OperationPhase) -> None:
    assert after_failure(failed(phase=phase), now=START).phase is phase


def test_an_error_is_tried_again_as_a_failure_is() -> None:
    assert after_failure(failed(phase=OperationPhase.ERROR), now=START).phase is OperationPhase.RUNNING


def test_a_back_off_of_nonsense_is_no_wait_and_no_crash() -> None:
    assert delay(Operation(retry_duration=-5), 3) == 0
    assert delay(Operation(retry_factor=1e300), 9) == 180


@pytest.mark.parametrize(
    ("attempts", "since", "expected"),
    [
        pytest.param(0, 0, (0, 0), id="the first heal starts at once"),
        pytest.param(1, 0, (2, 1), id="the second waits"),
        pytest.param(1, 1.5, (0.5, 1), id="part of the wait has passed"),
        pytest.param(2, 8, (0, 2), id="all of it has passed"),
        pytest.param(3, 0, (18, 3), id="it grows threefold"),
        pytest.param(50, 0, (300, 50), id="up to the cap"),
        pytest.param(50, 300, (0, 50), id="the cap has passed"),
        pytest.param(50, 301, (0, 0), id="a quiet period starts anew"),
        pytest.param(5000, 0, (300, 5000), id="numbers beyond a float"),
    ],
)
def test_self_heals_back_off(attempts: int, since: float, expected: tuple[float, int]) -> None:
    assert heal_delay(attempts=attempts, finished=START, now=START + since) == expected
