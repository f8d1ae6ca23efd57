"""Keys that are written twice in one mapping of a YAML file. Kubernetes reads the last one; whoever wrote the first one does not know."""

from __future__ import annotations

from collections.abc import Iterator

import yaml as pyyaml

_MERGE = "tag:yaml.org,2002:merge"


def doubles(node: pyyaml.Node) -> Iterator[tuple[int, str]]:
    """The line and name of each key that has been there before. What ``<<`` merges in may be written again, for that is what it is for."""
    waiting, seen = [node], set()
    while waiting:
        here = waiting.pop()
        if id(here) in seen:
            continue  # an alias
        seen.add(id(here))
        if isinstance(here, pyyaml.SequenceNode):
            waiting += here.value
        elif isinstance(here, pyyaml.MappingNode):
            inside: set[str] = set()
            start, end = here.start_mark, here.end_mark
            for key, below in here.value:
                waiting.append(below)
                # Merged keys stand among the others, and are told by where they are written.
                if not isinstance(key, pyyaml.ScalarNode) or key.tag == _MERGE or not _between(start, key.start_mark, end):
                    continue
                if key.value in inside:
                    yield int(key.start_mark.line) + 1, str(key.value)
                inside.add(key.value)


def _between(start: pyyaml.Mark | None, mark: pyyaml.Mark | None, end: pyyaml.Mark | None) -> bool:
    return start is None or mark is None or end is None or start.index <= mark.index <= end.index
