"""``homeostat app``: looks at apps and acts on them, directly on the cluster. One module per verb in :mod:`homeostat.cli.apps`."""

from __future__ import annotations

import importlib

import click

_COMMANDS = {
    "actions": ("actions", "List and run actions on an app's objects: restart, scale, …"),
    "add-source": ("edit", "Add a source to an app."),
    "confirm-deletion": ("confirm", "Confirm what an app is about to delete."),
    "create": ("edit", "Create an app."),
    "delete": ("delete", "Delete apps, with or without their objects."),
    "diff": ("diff", "Show what a sync would change."),
    "edit": ("editor", "Edit an app's spec in an editor."),
    "get": ("get", "Show an app and its objects."),
    "history": ("history", "Show what was deployed."),
    "list": ("listing", "List apps."),
    "logs": ("logs", "Print the logs of an app's pods."),
    "manifests": ("manifests", "Print an app's objects, as in Git or as in the cluster."),
    "patch": ("patch", "Patch an app."),
    "refresh": ("refresh", "Have an app looked at anew."),
    "remove-source": ("edit", "Take one of several sources away from an app."),
    "resources": ("resources", "List an app's objects, or the tree below them."),
    "rollback": ("rollback", "Sync an app to what was deployed before."),
    "set": ("edit", "Change an app's source, destination or policy."),
    "sync": ("sync", "Bring the cluster to what Git declares."),
    "terminate-op": ("terminate", "Call a running sync off."),
    "unset": ("unset", "Take parameters of an app's source away."),
    "wait": ("wait", "Wait until apps are synced and healthy."),
    "windows": ("windows", "Show when an app may be synced."),
    "why": ("why", "Say why an object, or a field of it, is as it is."),
}
"""The module of each verb, and its summary: to list them must not import them all."""


class _Verbs(click.Group):
    """Commands that are found in the modules of :mod:`homeostat.cli.apps` when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(f"homeostat.cli.apps.{_COMMANDS[cmd_name][0]}")
        command: click.Command = getattr(module, {"list": "list_apps", "set": "set_app"}.get(cmd_name, cmd_name.replace("-", "_")))
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in _COMMANDS.items()])


@click.group("app", cls=_Verbs)
def app() -> None:
    """Look at apps and act on them, directly on the cluster.

    Options are named as the `argocd` program names them. What reads takes `-o` (table, wide, json, yaml, name) and prints data to standard output;
    everything else that is said goes to standard error.
    """
