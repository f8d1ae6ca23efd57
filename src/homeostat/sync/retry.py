"""When to try again: attempts within one operation, and the back-off of self-healing. Pure; times are seconds since the epoch.

Rules: reference 2.4. Two things differ from Argo CD on purpose. The time that a message names is the time that is waited for (there, the wait
is twice as long). A quiet period longer than the cap makes the self-heal back-off start anew (there, only a new revision does).
Whether a failed operation is followed by another operation is decided in ``loop``.
"""

from __future__ import annotations

from msgspec.structs import replace

from homeostat.model import times
from homeostat.model.sync import Operation, OperationPhase, OperationState

LIMIT = 5
"""Attempts after the first one, where an automated operation names no limit."""
DURATION = 5.0
FACTOR = 2.0
MAX_DURATION = 180.0

HEAL_DURATION = 2.0
HEAL_FACTOR = 3.0
HEAL_CAP = 300.0


def _grown(duration: float, factor: float, steps: int, cap: float) -> float:
    """``duration * factor^steps``, at most ``cap``; a number too large for a float is the cap."""
    try:
        return max(0.0, min(duration * factor**steps, cap))
    except OverflowError:
        return cap


def delay(operation: Operation, retries: int) -> float:
    """Seconds between a failure and the next attempt, when ``retries`` attempts after the first one have been made."""
    return _grown(operation.retry_duration, operation.retry_factor, retries, operation.retry_max_duration)


def after_failure(state: OperationState, *, now: float) -> OperationState:
    """What becomes of an operation whose attempt has just ended in phase Failed or Error.

    With attempts left it stays Running, with ``finished_at`` set and the time of the next attempt in its message, as Argo CD has it; the
    results stay until that attempt starts. Without, it is over. Any other phase is answered unchanged but for ``finished_at``.
    """
    finished = state.finished_at or times.stamp(now)
    if state.phase not in {OperationPhase.FAILED, OperationPhase.ERROR}:
        return replace(state, finished_at=finished)
    limit = state.operation.retry_limit
    if limit >= 0 and state.retry_count >= limit:
        tail = f" (retried {state.retry_count} times)." if state.retry_count else ""
        return replace(state, finished_at=finished, message=state.message + tail)
    at = now + delay(state.operation, state.retry_count)
    return replace(
        state,
        phase=OperationPhase.RUNNING,
        finished_at=finished,
        retry_count=state.retry_count + 1,
        message=f"{state.message}. Retrying attempt #{state.retry_count + 1} at {times.clock(at)}.",
    )


def waiting_until(state: OperationState) -> float | None:
    """When the next attempt is due, for an operation that waits for one; ``None`` for one that runs or is over."""
    if state.phase is not OperationPhase.RUNNING or not state.finished_at or not state.retry_count:
        return None
    return times.parse(state.finished_at) + delay(state.operation, state.retry_count - 1)


def next_attempt(state: OperationState) -> OperationState:
    """The operation as its next attempt starts: nothing has been done yet. ``started_at`` stays that of the first attempt."""
    return replace(state, phase=OperationPhase.RUNNING, finished_at="", message="", results=())


def heal_delay(*, attempts: int, finished: float, now: float) -> tuple[float, int]:
    """Seconds until the next self-heal may start (0: now), and how many attempts count from here on.

    ``attempts`` is ``autoHealAttemptsCount`` of the last operation, ``finished`` is when it ended. The first heal after a sync starts at once; the
    n-th one after it waits 2 s * 3^(n-1) from the end of the one before, at most 300 s. The new operation's count is the second number + 1.
    """
    since = now - finished
    if since > HEAL_CAP:
        return 0.0, 0
    if attempts <= 0:
        return 0.0, 0
    return max(0.0, _grown(HEAL_DURATION, HEAL_FACTOR, attempts - 1, HEAL_CAP) - since), attempts
