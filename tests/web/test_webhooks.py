"""What senders say is understood, what proves them is checked, and nothing that anybody sends is more than a refusal."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from multidict import CIMultiDict

from homeostat.argo.webhooks import WebhookSecrets
from homeostat.loop.pushes import Push
from homeostat.web.webhooks import forges
from homeostat.web.webhooks.delivery import Delivery
from homeostat.web.webhooks.errors import MalformedError
from homeostat.web.webhooks.proofs import Basic, Signature, Token
from homeostat.web.webhooks.senders import recognise
from tests.web.senders import EXAMPLES, IDS, SECRET, Example

NO_SECRETS = WebhookSecrets({})


@pytest.mark.parametrize("example", EXAMPLES, ids=IDS)
def test_a_sender_is_recognised_proves_itself_and_is_understood(example: Example) -> None:
    delivery = example.delivery(secret=SECRET)
    sender = recognise(delivery, example.secrets)
    assert sender is not None
    assert sender.name == example.sender
    assert sender.proof.is_set(example.secrets)
    assert sender.proof.is_plausible(delivery, example.secrets)
    assert sender.proof.holds(delivery, example.secrets)
    assert sender.read(delivery) == example.told


@pytest.mark.parametrize("example", EXAMPLES, ids=IDS)
@pytest.mark.parametrize("secret", ["", "another", SECRET + " ", SECRET[:-1]])
def test_a_wrong_proof_is_none(example: Example, secret: str) -> None:
    delivery = example.delivery(secret=secret)
    sender = recognise(delivery, example.secrets)
    assert sender is None or not (sender.proof.is_plausible(delivery, example.secrets) and sender.proof.holds(delivery, example.secrets))


@pytest.mark.parametrize("example", [one for one in EXAMPLES if one.way.signature], ids=lambda one: one.file)
def test_a_signature_is_of_every_byte(example: Example) -> None:
    delivery = example.delivery(secret=SECRET)
    sender = recognise(delivery, example.secrets)
    assert sender is not None
    assert not sender.proof.holds(delivery._replace(body=delivery.body + b" "), example.secrets)
    assert not sender.proof.holds(delivery._replace(body=delivery.body[1:]), example.secrets)


def test_signatures_are_those_of_the_documents() -> None:
    hub = Signature("s", headers=(("X-Hub-Signature-256", "sha256", "sha256="), ("X-Hub-Signature", "sha1", "sha1=")))
    github = Delivery(
        CIMultiDict({"X-Hub-Signature-256": "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"}),
        {},
        b"Hello, World!",
    )
    assert hub.holds(github, WebhookSecrets({"s": b"It's a Secret to Everybody"}))
    rfc_2202 = CIMultiDict({"X-Hub-Signature": "sha1=effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"})
    assert hub.holds(Delivery(rfc_2202, {}, b"what do ya want for nothing?"), WebhookSecrets({"s": b"Jefe"}))
    both = CIMultiDict({**rfc_2202, "X-Hub-Signature-256": "sha256=0"})
    assert not hub.holds(Delivery(both, {}, b"what do ya want for nothing?"), WebhookSecrets({"s": b"Jefe"})), "the stronger one counts"


def test_basic_authentication_is_that_of_the_rfc() -> None:
    proof = Basic("user", "password")
    secrets = WebhookSecrets({"user": b"Aladdin", "password": b"open sesame"})

    def plausible(header: str) -> bool:
        return proof.is_plausible(Delivery(CIMultiDict({"Authorization": header}), {}), secrets)

    assert plausible("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==")
    assert plausible("basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==")
    assert not any(plausible(header) for header in ("", "Basic", "Basic !", "Bearer QWxhZGRpbjpvcGVuIHNlc2FtZQ==", "Basic QWxhZGRpbg=="))


def test_a_secret_that_is_set_and_cannot_be_read_matches_nothing() -> None:
    secrets = WebhookSecrets({"s": None})
    token, signature = Token("s", "X-Token"), Signature("s", headers=(("X-Signature", "sha256", ""),))
    empty = "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad"  # of nothing, with an empty key
    for given_token in ("", "None"):
        delivery = Delivery(CIMultiDict({"X-Token": given_token, "X-Signature": empty}), {})
        assert token.is_set(secrets)
        assert not token.is_plausible(delivery, secrets)
        assert not signature.holds(delivery, secrets)


def test_a_payload_may_come_as_a_form() -> None:
    headers = CIMultiDict({"X-GitHub-Event": "push", "Content-Type": "application/x-www-form-urlencoded"})
    body = (
        b"payload=%7B%22ref%22%3A%22refs%2Fheads%2Fx%22%2C%22repository%22%3A%7B%22html_url%22%3A%22https%3A%2F%2Fgit.example%2Fa%22%7D%7D"
    )
    assert forges.github(Delivery(headers, {}, body)) == Push(("https://git.example/a",), frozenset({"refs/heads/x"}))


def test_more_references_than_a_sender_names_are_all_references() -> None:
    body = b'{"refLimitExceeded": true, "changes": [], "repository": {"links": {"clone": [{"href": "https://git.example/scm/a/b.git"}]}}}'
    delivery = Delivery(CIMultiDict({"X-Event-Key": "repo:refs_changed"}), {}, body)
    assert forges.bitbucket_server(delivery) == Push(("https://git.example/scm/a/b.git",), None)


def test_an_error_names_the_place_and_no_value() -> None:
    body = b'{"ref": {"password": "planted-in-a-payload"}}'
    with pytest.raises(MalformedError) as caught:
        forges.github(Delivery(CIMultiDict({"X-GitHub-Event": "push"}), {}, body))
    assert "$.ref" in caught.value.message
    assert "planted" not in caught.value.message


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=10,
)


@st.composite
def spoiled(draw: st.DrawFn) -> tuple[Example, bytes]:
    """An example in which one place is something else, or is missing; or bytes that are nothing at all."""
    example = draw(st.sampled_from(EXAMPLES))
    if draw(st.booleans()):
        return example, draw(st.binary(max_size=200))
    payload = msgspec.json.decode(example.body)
    place: Any = payload
    while isinstance(place, dict | list) and place:
        key = draw(st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place))))
        if draw(st.booleans()) or not isinstance(place[key], dict | list) or not place[key]:
            if draw(st.booleans()):
                place[key] = draw(JSON)
            else:
                del place[key]
            break
        place = place[key]
    return example, msgspec.json.encode(payload)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=400)
@given(spoiled())
def test_whatever_is_sent_is_understood_or_malformed(given_one: tuple[Example, bytes]) -> None:
    example, body = given_one
    delivery = example.delivery(body=body)
    sender = recognise(delivery, NO_SECRETS)
    if sender is None:
        return
    try:
        told = sender.read(delivery)
    except MalformedError:
        return
    assert told is None or told.addresses


@settings(deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(
            ["X-GitHub-Event", "X-Gitlab-Event", "X-Event-Key", "X-Hook-UUID", "Authorization", "X-Hub-Signature-256", "X-Gitlab-Token"]
        ),
        st.text(max_size=30),
    ),
    st.binary(max_size=50),
)
def test_whatever_headers_say_is_a_proof_or_none(headers: dict[str, str], body: bytes) -> None:
    secrets = WebhookSecrets({example.way.key: b"s3cret" for example in EXAMPLES})
    delivery = Delivery(CIMultiDict(headers), {}, body)
    sender = recognise(delivery, secrets)
    assert sender is None or not (sender.proof.is_plausible(delivery, secrets) and sender.proof.holds(delivery, secrets))
