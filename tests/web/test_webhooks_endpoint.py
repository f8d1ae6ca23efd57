"""The endpoint on a real HTTP server: what is answered to whom, and what reaches the loop."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import NamedTuple

import pytest
from aiohttp import ClientSession
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from homeostat.argo.webhooks import WebhookSecrets
from homeostat.loop.pushes import Published, Push
from homeostat.model.settings import Settings
from homeostat.web import probes
from homeostat.web.webhooks import endpoint
from homeostat.web.webhooks.endpoint import Webhooks
from tests.web.senders import EXAMPLES, IDS, SECRET, Example

PUSH = EXAMPLES[0]
PLANTED = "planted-in-a-webhook"
NUMBERS = {
    "github": "X-GitHub-Delivery",
    "ghcr": "X-GitHub-Delivery",
    "gitlab": "Idempotency-Key",
    "gitea": "X-Gitea-Delivery",
    "gogs": "X-Gogs-Delivery",
    "bitbucket": "X-Request-UUID",
    "bitbucketserver": "X-Request-Id",
}


class Answer(NamedTuple):
    status: int
    text: str


class World:
    """The endpoint with ears that write down what they are told; ``listening`` false is a loop that has too much to do."""

    def __init__(self, secrets: WebhookSecrets, settings: Settings) -> None:
        self.secrets = secrets
        self.settings = settings
        self.heard: list[Push | Published] = []
        self.listening = True
        self.port = 0
        self.webhooks = Webhooks(secrets=lambda: self.secrets, settings=lambda: self.settings, pushed=self._hear, published=self._hear)
        self._session: ClientSession | None = None

    def _hear(self, told: Push | Published) -> bool:
        if self.listening:
            self.heard.append(told)
        return self.listening

    async def post(self, example: Example, *, secret: str = "", body: bytes | None = None, number: str = "1") -> Answer:
        """Sends an example as the delivery ``number``, where its sender has such numbers; empty: it says none."""
        delivery = example.delivery(secret=secret, body=body)
        numbered = {NUMBERS[example.sender]: number} if number and example.sender in NUMBERS else {}
        return await self.send(delivery.body, {**delivery.headers, **numbered}, dict(delivery.query))

    async def send(self, body: bytes | AsyncIterator[bytes], headers: dict[str, str], query: dict[str, str] | None = None) -> Answer:
        url = f"http://127.0.0.1:{self.port}/api/webhook"
        async with ClientSession() as session, session.post(url, data=body, headers=headers, params=query or {}) as answer:
            return Answer(answer.status, await answer.text())

    async def raw(self, text: bytes, *, end: bool = False) -> bytes:
        """The first line that is answered to bytes; with ``end`` the sender hangs up after them, and may get no answer."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(text)
            if end:
                writer.write_eof()
            return await reader.readline()
        finally:
            writer.close()
            await writer.wait_closed()


@asynccontextmanager
async def serving(secrets: WebhookSecrets | None = None, **settings: int | bool) -> AsyncIterator[World]:
    made = World(secrets or WebhookSecrets({}), Settings(**settings))  # type: ignore[arg-type]
    async with probes.serve(host="127.0.0.1", port=0, ready=lambda: True, webhook=made.webhooks.handle) as made.port:
        yield made


@pytest.fixture
def logs() -> Iterator[list[dict[str, object]]]:
    with capture_logs() as captured:
        yield captured  # type: ignore[misc]


@pytest.mark.parametrize("example", EXAMPLES, ids=IDS)
async def test_what_is_proved_is_told_to_the_loop_once(example: Example) -> None:
    async with serving(example.secrets) as world:
        answer = await world.post(example, secret=SECRET)
        assert answer == (200, "ignored\n" if example.told is None else "accepted\n")
        await world.post(example, secret=SECRET)
        assert world.heard == ([] if example.told is None else [example.told])


@pytest.mark.parametrize("example", EXAMPLES, ids=IDS)
async def test_what_is_forged_is_refused(example: Example) -> None:
    async with serving(example.secrets) as world:
        statuses = {(await world.post(example, secret=secret)).status for secret in ("", "another")}
        assert statuses == {401}
        assert world.heard == []


@pytest.mark.parametrize("example", EXAMPLES, ids=IDS)
async def test_without_a_secret_those_are_believed_whom_argo_cd_believes(example: Example) -> None:
    async with serving() as world:
        answer = await world.post(example)
        assert answer.status == (401 if example.sender in {"harbor", "registry"} else 200)
    async with serving(webhook_secrets_required=True) as world:
        assert (await world.post(example)).status == 401
        assert world.heard == []


async def test_harbor_is_known_by_its_secret_alone_as_in_argo_cd() -> None:
    example = next(example for example in EXAMPLES if example.sender == "harbor")
    async with serving(example.secrets) as world:
        assert await world.send(example.body, {"Authorization": SECRET}) == (200, "accepted\n")
        assert (await world.send(example.body, {"Authorization": "another"})).status == 400


async def test_a_delivery_that_was_seen_before_is_answered_and_ignored() -> None:
    async with serving(PUSH.secrets) as world:
        assert await world.post(PUSH, secret=SECRET) == (200, "accepted\n")
        assert await world.post(PUSH, secret=SECRET) == (200, "seen before\n")
        assert await world.post(PUSH, secret=SECRET, number="another") == (200, "accepted\n")
        assert len(world.heard) == 2


async def test_a_hook_of_ones_own_may_say_the_same_twice() -> None:
    async with serving() as world:
        for _ in range(2):
            assert await world.post(PUSH, number="") == (200, "accepted\n")
        assert len(world.heard) == 2


async def test_a_forged_delivery_does_not_stand_in_the_way_of_the_real_one() -> None:
    async with serving(PUSH.secrets) as world:
        assert (await world.post(PUSH, secret="another")).status == 401
        assert await world.post(PUSH, secret=SECRET) == (200, "accepted\n")


async def test_a_delivery_that_came_too_early_may_come_again() -> None:
    async with serving() as world:
        world.listening = False
        assert (await world.post(PUSH)).status == 503
        world.listening = True
        assert await world.post(PUSH) == (200, "accepted\n")


async def test_no_more_deliveries_are_remembered_than_there_is_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoint, "MOST_REMEMBERED", 2)
    async with serving() as world:
        for number in ("1", "2", "3"):
            await world.post(PUSH, number=number)
        assert await world.post(PUSH, number="3") == (200, "seen before\n")
        assert await world.post(PUSH, number="1") == (200, "accepted\n")


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        pytest.param({}, b"{}", id="no sender"),
        pytest.param({"X-GitHub-Event": "push"}, b"", id="nothing"),
        pytest.param({"X-GitHub-Event": "push"}, b"[]", id="a list"),
        pytest.param({"X-GitHub-Event": "push"}, b'{"ref": 1}', id="a number for a name"),
        pytest.param({"X-GitHub-Event": "push"}, b"\xff\xfe", id="no text"),
        pytest.param({"X-GitHub-Event": "push"}, b"[" * 100_000, id="too deep"),
        pytest.param({"X-GitHub-Event": "push"}, b'{"x":' * 100_000, id="too deep below a field that is passed over"),
        pytest.param({"X-GitHub-Event": "push", "Content-Encoding": "gzip"}, gzip.compress(b"0" * 10_000_000), id="packed"),
        pytest.param({"X-GitHub-Event": "push", "Content-Type": "application/x-www-form-urlencoded"}, b"&" * 1000, id="an empty form"),
        pytest.param({"X-GitHub-Event": "push", "Content-Type": "application/x-www-form-urlencoded"}, b"a=1&" * 1000, id="another form"),
    ],
)
async def test_what_is_malformed_is_a_bad_request(headers: dict[str, str], body: bytes) -> None:
    async with serving() as world:
        assert (await world.send(body, headers)).status == 400
        assert world.heard == []


async def test_only_posts_are_webhooks() -> None:
    async with serving() as world, ClientSession() as session, session.get(f"http://127.0.0.1:{world.port}/api/webhook") as answer:
        assert answer.status == 405


async def test_what_is_too_large_is_refused_before_it_is_read() -> None:
    async with serving(webhook_limit=1000) as world:
        told = await world.raw(b"POST /api/webhook HTTP/1.1\r\nHost: x\r\nX-GitHub-Event: push\r\nContent-Length: 1000000000\r\n\r\n")
        assert told.startswith(b"HTTP/1.1 413 ")


async def test_what_is_too_large_and_does_not_say_so_is_refused_while_it_is_read() -> None:
    async def much() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b" " * 100

    async with serving(webhook_limit=1000) as world:
        assert (await world.send(much(), {"X-GitHub-Event": "push"})).status == 413
        assert world.heard == []


async def test_a_large_one_is_understood() -> None:
    async with serving(PUSH.secrets) as world:
        body = PUSH.body.rstrip().removesuffix(b"}") + b', "more": "' + b"x" * 2 * endpoint.INLINE + b'"}'
        assert await world.post(PUSH, secret=SECRET, body=body) == (200, "accepted\n")
        assert world.heard == [PUSH.told]


@pytest.mark.parametrize(
    "rest",
    [
        pytest.param(b"Content-Length: 100\r\n\r\n{", id="it ends too early"),
        pytest.param(b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n{", id="chunks that are none"),
    ],
)
async def test_what_does_not_arrive_whole_is_no_error_of_ours(rest: bytes, logs: list[dict[str, object]]) -> None:
    async with serving() as world:
        told = await world.raw(b"POST /api/webhook HTTP/1.1\r\nHost: x\r\nX-GitHub-Event: push\r\n" + rest, end=True)
        assert not told.startswith(b"HTTP/1.1 5"), told
        assert world.heard == []
        assert await world.post(PUSH) == (200, "accepted\n")
    assert all(line["log_level"] != "error" for line in logs)


async def test_a_sender_that_takes_its_time_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoint, "READ_WITHIN", 0.05)
    async with serving() as world:
        told = await world.raw(b"POST /api/webhook HTTP/1.1\r\nHost: x\r\nX-GitHub-Event: push\r\nContent-Length: 100\r\n\r\n{")
        assert told.startswith(b"HTTP/1.1 400 ")


async def test_all_that_is_being_read_is_bounded_together() -> None:
    held = asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield b" " * 900
        await held.wait()

    async with serving(webhook_limit=1000) as world:
        async with asyncio.TaskGroup() as group:
            waiting = [group.create_task(world.send(slow(), {"X-GitHub-Event": "push"})) for _ in range(3)]
            done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            assert [task.result().status for task in done] == [503]
            held.set()
        assert sorted(task.result().status for task in waiting) == [400, 400, 503]
        assert (await world.send(b" " * 900, {"X-GitHub-Event": "push"})).status == 400, "there is room again"


async def test_nothing_of_a_payload_or_a_secret_is_logged_or_answered(logs: list[dict[str, object]]) -> None:
    gitlab = next(example for example in EXAMPLES if example.sender == "gitlab")
    async with serving(WebhookSecrets({"webhook.gitlab.secret": f"{PLANTED}-1".encode()})) as world:
        answers = [
            await world.post(gitlab, secret=f"{PLANTED}-2"),
            await world.post(gitlab, secret=f"{PLANTED}-1", body=b'{"ref": {"' + PLANTED.encode() + b'": 1}}'),
            await world.send(PLANTED.encode(), {"X-Unknown": PLANTED}, {"type": PLANTED, "secret": PLANTED}),
        ]
    assert [answer.status for answer in answers] == [401, 400, 400]
    assert logs
    assert PLANTED not in f"{logs} {answers}"


async def test_a_flood_of_forged_ones_is_one_line_in_the_log_and_is_counted(logs: list[dict[str, object]]) -> None:
    def counted() -> float:
        return REGISTRY.get_sample_value("homeostat_webhooks_total", {"sender": "github", "result": "forged"}) or 0.0

    before = counted()
    async with serving(PUSH.secrets) as world:
        for _ in range(50):
            await world.post(PUSH, secret="another")
    assert [(line["event"], line["sender"]) for line in logs] == [("a webhook is refused", "github")]
    assert counted() - before == 50
    assert REGISTRY.get_sample_value("argocd_webhook_handlers_in_flight") == 0
