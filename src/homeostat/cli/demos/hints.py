"""What to try on a demo that is up, with the exact commands."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from homeostat import toolchain
from homeostat.cli.demos.stage import Stage


def what_to_try(stage: Stage, url: str) -> str:
    """Commands for another terminal. Where kubectl or homeostat are not on its PATH, the first of them puts them there."""
    lines = [
        "Try it, in another terminal:",
        "",
        *(f"    export PATH={folder}:$PATH" for folder in _missing_folders()),
        f"    export KUBECONFIG=$(homeostat box kubeconfig --name {stage.plane.name})",
        "",
        "  break something, and watch it be healed:",
        "    kubectl -n guestbook scale deployment guestbook --replicas=5",
        "    kubectl -n shop delete service shop-web",
        "",
        "  change something in Git; a push is applied at once:",
        f"    git clone {_identity()}{url} && cd demo",
        "    sed -i s/blue/green/ guestbook/settings.yaml",
        "    git commit -am 'A green guestbook' && git push",
        "",
        "  look, and act:",
        "    homeostat app list",
        "    homeostat app get shop",
        "    homeostat app history guestbook",
        "    homeostat app diff blog",
        "    homeostat app sync metrics",
        f"    homeostat box status --name {stage.plane.name}",
        "",
        f"The controller's log is {stage.log}. Ctrl-C ends it all.",
    ]
    return "\n".join(lines)


def _identity() -> str:
    """Options of `git clone` for somebody who has not told Git who they are: it would refuse their commit."""
    known = subprocess.run(["git", "config", "--global", "user.email"], capture_output=True, check=False).returncode == 0
    return "" if known else "-c user.name=me -c user.email=me@example.com "


def kubectl() -> Path:
    """PATH's, else the one that is built beside the box."""
    found = shutil.which("kubectl")
    return Path(found) if found else toolchain.kubectl_program()


def _missing_folders() -> list[str]:
    """The folders of the programs that the commands name and PATH lacks."""
    programs = []
    if not shutil.which("homeostat"):
        programs.append(Path(sys.argv[0]) if Path(sys.argv[0]).name == "homeostat" else Path(sys.executable).with_name("homeostat"))
    if not shutil.which("kubectl"):
        programs.append(kubectl())
    folders = [str(program.parent.absolute()) for program in programs if os.access(program, os.X_OK)]
    return [":".join(folders)] if folders else []
