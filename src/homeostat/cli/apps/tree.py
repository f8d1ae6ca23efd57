"""The tree of an app's objects and of what they brought about (Deployment → ReplicaSet → Pod), by owner references.

The kinds are watched as the controller does it, for as long as one look takes. What is known of an object that is in no manifest are the few
facts of ``live/facts.py``; its health is the controller's business.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click
import msgspec

from homeostat.cli import output as out
from homeostat.cli.apps import words
from homeostat.cli.apps.resources import key_in
from homeostat.live import facts
from homeostat.live.client import Client
from homeostat.live.cluster import Cluster
from homeostat.live.index import Index, Node
from homeostat.model.objects import Key, Object


class Branch(msgspec.Struct):
    """An object and what it owns. ``sync`` and ``health`` are what the app's status says; ``facts`` are of what it does not name."""

    key: Key
    uid: str = ""
    created: str = ""
    sync: str = ""
    health: str = ""
    facts: dict[str, str] = {}
    below: list[Branch] = []


async def grow(client: Client, app: Object) -> list[Branch]:
    """The objects that the app's status names, with what is below each. One that is not in the cluster stands alone."""
    from homeostat.web import logs  # noqa: PLC0415

    logs.configure(form="text", level="error")
    entries = words.resources_of(app)
    keys = [key_in(entry) for entry in entries]
    async with Cluster(client) as cluster:
        kinds = facts.with_children({key.group_kind for key in keys})
        await cluster.ensure({kind for kind in kinds if cluster.discovery.find(kind) is not None})
        for kind, error in cluster.unavailable(kinds).items():
            if cluster.discovery.find(kind) is not None:
                out.say("warning", f"objects of kind {kind} cannot be looked at: {error}")
        roots = {node.uid for key in keys if (node := cluster.index.node(key)) is not None}
        return [_branch(cluster.index, key, entry, roots) for key, entry in zip(keys, entries, strict=True)]


def _branch(index: Index, key: Key, entry: dict[str, Any], known: set[str]) -> Branch:
    node = index.node(key)
    branch = Branch(key, sync=str(entry.get("status") or ""), health=str(words.part(entry, "health").get("status") or ""))
    if node is not None:
        branch.uid, branch.created, branch.facts = node.uid, node.created, dict(node.facts)
        branch.below = _below(index, node, known)
    return branch


def _below(index: Index, node: Node, known: set[str]) -> list[Branch]:
    """``known`` are those that stand somewhere in the tree already: an object has one place, and circles end."""
    found = []
    for child in sorted(index.children(node.uid), key=lambda child: child.key):
        if child.uid not in known:
            known.add(child.uid)
            found.append(
                Branch(child.key, uid=child.uid, created=child.created, facts=dict(child.facts), below=_below(index, child, known))
            )
    return found


def walk(branches: list[Branch]) -> Iterator[Branch]:
    """Every object of the tree, owners first."""
    for branch in branches:
        yield branch
        yield from walk(branch.below)


def print_tree(branches: list[Branch], form: str) -> None:
    """In one of the forms of ``-o``."""
    if form in {"json", "yaml"}:
        from homeostat.cli.apps.printing import print_json_or_yaml  # noqa: PLC0415

        print_json_or_yaml([_plain(branch) for branch in branches], form)
        return
    if form == "name":
        from homeostat.cli.apps.printing import print_names  # noqa: PLC0415

        print_names(branch.key for branch in walk(branches))
        return
    wide = form == "wide"
    rows = []
    for line, branch in _lines(branches, ""):
        told = [branch.facts[name] for name in ("phase", "ready") if branch.facts.get(name)]
        row = [line, branch.key.namespace, branch.sync, branch.health, " ".join(told), words.ago(branch.created)]
        if wide:
            row += [branch.facts.get("restarts", ""), branch.facts.get("node", ""), branch.facts.get("images", "")]
        rows.append(row)
    columns = ["object", "namespace", "sync", "health", "state", "age", *(["restarts", "node", "images"] if wide else [])]
    out.print_table(columns, rows, colours=words.COLOURS)
    if not rows:
        click.echo("the app has no objects yet", err=True)


def _lines(branches: list[Branch], indent: str, *, top: bool = True) -> Iterator[tuple[str, Branch]]:
    for branch in branches:
        last = branch is branches[-1]
        knot = "" if top else "└─ " if last else "├─ "
        yield f"{indent}{knot}{branch.key.group_kind}/{branch.key.name}", branch
        yield from _lines(branch.below, indent if top else indent + ("   " if last else "│  "), top=False)


def _plain(branch: Branch) -> dict[str, Any]:
    plain: dict[str, Any] = dict(zip(("group", "kind", "namespace", "name"), branch.key, strict=True))
    plain |= {name: getattr(branch, name) for name in ("uid", "created", "sync", "health", "facts")}
    plain["children"] = [_plain(child) for child in branch.below]
    return {name: value for name, value in plain.items() if value}
