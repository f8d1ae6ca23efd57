"""Before anything is pruned: would the API server take what is to come in its place?

A commit may drop an object and bring another that is wrong. Prunes go first in a wave (reference 2.5), so the one would be gone and the other never
come. As in Argo CD, whose dry run of all tasks comes before the first effect, a plan with something wrong in it is not begun; unlike there, it is
the server that is asked, and only when there is something to lose. What may be refused just because the old object is still there (a port, a
quota, what a webhook finds) is no reason: pruning may be the cure.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from homeostat.live.errors import ApiError, ForbiddenError, InvalidObjectError, NotFoundError
from homeostat.model.sync import Action, Phase, Plan, Task, TaskResult, Wave
from homeostat.sync import messages
from homeostat.sync.run import Runner, run_options


async def rehearse(runner: Runner, plan: Plan, *, options: Sequence[str], doubtful: Callable[[Task], bool]) -> tuple[TaskResult, ...]:
    """What is wrong, whatever is pruned; nothing when ``plan`` prunes nothing. Only ``doubtful`` applies are asked about."""
    if not any(task.action is Action.PRUNE for task in plan.tasks):
        return ()
    asked = tuple(task for task in plan.tasks if task.action is Action.APPLY and doubtful(task))
    if not asked:
        return ()
    done = await runner.run(Wave(Phase.SYNC, 0, (asked,)), options=run_options(options, dry_run=True, plan=plan))
    return tuple(one.result for one in done if one.refusal is not None and _is_of_the_object(one.refusal))


def _is_of_the_object(refusal: ApiError) -> bool:
    blames_it = isinstance(refusal, InvalidObjectError | NotFoundError | ForbiddenError)
    return blames_it and not messages.is_of_the_moment(refusal)
