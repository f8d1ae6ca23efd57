"""Trouble with a repository is told to everybody who uses it, once when it begins and once when it is over."""

from __future__ import annotations

from homeostat.loop.trouble import Troubles
from homeostat.model.errors import HomeostatError


class OtherError(HomeostatError):
    pass


def test_trouble_is_news_until_it_was_told_and_so_is_its_end() -> None:
    troubles = Troubles()
    assert not troubles.is_news("a")
    troubles.met("a", HomeostatError("gone"))
    assert troubles
    assert troubles.is_news("a")
    assert not troubles.is_news("a")
    assert not troubles.is_news("b")
    troubles.over("a")
    assert troubles.of("a") == ""
    assert troubles.is_news("a")
    assert not troubles.is_news("a")


def test_trouble_that_one_app_saw_come_and_go_is_no_news() -> None:
    troubles = Troubles()
    troubles.met("a", HomeostatError("gone"))
    troubles.over("a")
    assert not troubles.is_news("a")


def test_the_same_trouble_in_other_words_keeps_its_words_and_another_does_not() -> None:
    troubles = Troubles()
    troubles.met("a", HomeostatError("no answer after 2 ms"))
    troubles.met("a", HomeostatError("no answer after 3 ms"))
    assert troubles.of("a") == "no answer after 2 ms"
    troubles.met("a", OtherError("not for you"))
    assert troubles.of("a") == "not for you"
