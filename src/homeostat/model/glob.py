r"""Globs as Argo CD matches them (gobwas/glob): ``*``, ``**``, ``?``, ``[a-z]``, ``[!a]``, ``{a,b}`` and ``\\`` before a character.

Without separators ``*`` crosses everything; with them (``/`` for source repositories) only ``**`` does. A pattern that is no pattern matches
nothing. Matching costs at most text times pattern: patterns come from users, and none may hold up a worker. Which fields are globs
is said by those who have them.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, NamedTuple

from homeostat.model.errors import InvalidError

_MOST_ALTERNATIVES: Final = 256
_LONGEST: Final = 4096
_SPECIAL = re.compile(r"[*?\[\]{}\\]")


class GlobError(InvalidError):
    """A pattern that is not a glob."""

    def __init__(self, pattern: str, problem: str) -> None:
        super().__init__(f"glob {pattern!r}: {problem}", hint="write \\ before a character that is meant as itself")


class Token(NamedTuple):
    """A piece of a pattern: a character (``=``), a set (``[``), or one of ``* ** ? { , }`` by its own sign."""

    sign: str
    text: str = ""
    ranges: tuple[tuple[str, str], ...] = ()
    negated: bool = False

    def takes(self, character: str, separators: str) -> bool:
        """Whether this piece stands for ``character`` (for a star: among others)."""
        if self.sign == "=":
            return character == self.text
        if self.sign == "[":
            inside = character in self.text or any(first <= character <= last for first, last in self.ranges)
            return inside is not self.negated
        return self.sign == "**" or character not in separators


@lru_cache(maxsize=20_000)
def matches(pattern: str, text: str, separators: str = "") -> bool:
    """Whether ``text`` as a whole matches. A pattern that is not a glob matches nothing; :func:`parse` says why."""
    if not _SPECIAL.search(pattern):
        return pattern == text
    if pattern == "**" or (pattern == "*" and not separators):
        return True
    return any(_matches(tokens, text, separators) for tokens in _alternatives(pattern))


@lru_cache(maxsize=2_000)
def _alternatives(pattern: str) -> tuple[tuple[Token, ...], ...]:
    try:
        return parse(pattern)
    except GlobError:
        return ()


def parse(pattern: str) -> tuple[tuple[Token, ...], ...]:
    """The alternatives that ``pattern`` stands for, braces expanded. Raises :class:`GlobError`."""
    if len(pattern) > _LONGEST:
        raise GlobError(pattern[:40] + "…", f"longer than {_LONGEST} characters")
    return tuple(tuple(tokens) for tokens in _expand(pattern, _tokens(pattern)))


def _matches(tokens: tuple[Token, ...], text: str, separators: str) -> bool:
    """Follows every place in the pattern that the text read so far can stand for, all at once."""
    end = len(tokens)
    places = _past_stars(tokens, {0})
    for character in text:
        after = set()
        for place in places:
            if place < end and tokens[place].takes(character, separators):
                after.add(place if tokens[place].sign[0] == "*" else place + 1)
        if not after:
            return False
        places = _past_stars(tokens, after)
    return end in places


def _past_stars(tokens: tuple[Token, ...], places: set[int]) -> set[int]:
    """``places`` and those behind a star, which may stand for nothing."""
    result = set(places)
    for place in places:
        here = place
        while here < len(tokens) and tokens[here].sign[0] == "*":
            here += 1
            result.add(here)
    return result


def _tokens(pattern: str) -> list[Token]:
    result: list[Token] = []
    depth = 0
    place = 0
    while place < len(pattern):
        character = pattern[place]
        place += 1
        if character == "\\":
            if place == len(pattern):
                raise GlobError(pattern, "ends in a \\ that escapes nothing")
            result.append(Token("=", pattern[place]))
            place += 1
        elif character == "*":
            stars = 1
            while pattern[place : place + 1] == "*":
                stars += 1
                place += 1
            result.append(Token("*" if stars == 1 else "**"))
        elif character == "[":
            place, token = _set(pattern, place)
            result.append(token)
        elif character == "{" or (character in "}," and depth):
            depth += (character == "{") - (character == "}")
            result.append(Token(character))
        elif character == "?":
            result.append(Token("?"))
        else:
            result.append(Token("=", character))
    if depth:
        raise GlobError(pattern, "a { is not closed")
    return result


def _set(pattern: str, place: int) -> tuple[int, Token]:
    """Reads ``[abc]``, ``[a-z]``, ``[!…]`` from behind the bracket; answers where it ends."""
    negated = pattern[place : place + 1] == "!"
    place += negated
    text = ""
    ranges: list[tuple[str, str]] = []
    while (character := pattern[place : place + 1]) != "]":
        if character == "\\":
            place += 1
            character = pattern[place : place + 1]
        if not character:
            raise GlobError(pattern, "a [ is not closed")
        place += 1
        if pattern[place : place + 1] == "-" and pattern[place + 1 : place + 2] not in {"", "]"}:
            last = pattern[place + 1]
            if last < character:
                raise GlobError(pattern, f"the range {character}-{last} runs backwards")
            ranges.append((character, last))
            place += 2
        else:
            text += character
    if not text and not ranges:
        raise GlobError(pattern, "[] is empty")
    return place + 1, Token("[", text, tuple(ranges), negated)


def _expand(pattern: str, tokens: list[Token]) -> list[list[Token]]:
    """The alternatives that the braces stand for, without braces."""
    results: list[list[Token]] = [[]]
    place = 0
    while place < len(tokens):
        if tokens[place].sign != "{":
            for result in results:
                result.append(tokens[place])
            place += 1
            continue
        branches: list[list[Token]] = [[]]
        depth = 1
        place += 1
        while depth:
            token = tokens[place]
            place += 1
            depth += (token.sign == "{") - (token.sign == "}")
            if depth == 1 and token.sign == ",":
                branches.append([])
            elif depth:
                branches[-1].append(token)
        expanded = [tail for branch in branches for tail in _expand(pattern, branch)]
        if len(results) * len(expanded) > _MOST_ALTERNATIVES:
            raise GlobError(pattern, f"stands for more than {_MOST_ALTERNATIVES} alternatives")
        results = [head + tail for head in results for tail in expanded]
    return results
