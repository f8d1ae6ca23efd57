"""Secrets of webhooks: read from argocd-secret, or from where it points to; never shown, and never replaced by something that can be guessed."""

from __future__ import annotations

import base64

from homeostat.argo.webhooks import WebhookSecrets, read_webhook_secrets
from homeostat.model.objects import Object


def secret(**data: str) -> Object:
    return {"data": {key.replace("__", "."): base64.b64encode(value.encode()).decode() for key, value in data.items()}}


def test_keys_of_webhooks_are_read_and_no_others() -> None:
    found = read_webhook_secrets(
        {"argocd-secret": secret(webhook__github__secret="s3cret\n", admin__password="hash", webhook__gogs__secret="")}
    )
    assert found.get("webhook.github.secret") == b"s3cret"
    assert "webhook.gogs.secret" not in found
    assert "admin.password" not in found


def test_a_value_may_point_to_another_key_or_another_secret() -> None:
    found = read_webhook_secrets(
        {
            "argocd-secret": secret(
                webhook__github__secret="$shared",
                webhook__gitlab__secret="$hooks:git.lab",
                webhook__gogs__secret="$1 is a price",
                shared="one",
            ),
            "hooks": secret(git__lab="two"),
        }
    )
    assert found.get("webhook.github.secret") == b"one"
    assert found.get("webhook.gitlab.secret") == b"two"
    assert found.get("webhook.gogs.secret") == b"$1 is a price"
    assert found.unreadable == []


def test_a_pointer_that_leads_nowhere_is_a_secret_that_nothing_matches() -> None:
    found = read_webhook_secrets({"argocd-secret": secret(webhook__github__secret="$hooks:key", webhook__gogs__secret="$empty", empty=" ")})
    assert "webhook.github.secret" in found
    assert found.get("webhook.github.secret", b"default") is None
    assert found.unreadable == ["webhook.github.secret", "webhook.gogs.secret"]


def test_what_is_no_secret_at_all_is_passed_over() -> None:
    wrong: Object = {"data": {"webhook.github.secret": "!", "webhook.gogs.secret": 1, "webhook.gitlab.secret": "czNjcmV0"}}
    assert read_webhook_secrets({"argocd-secret": wrong}).get("webhook.gitlab.secret") == b"s3cret"
    assert read_webhook_secrets({}).unreadable == []


def test_secrets_are_not_shown() -> None:
    assert "planted" not in repr(WebhookSecrets({"webhook.github.secret": b"planted"}))
