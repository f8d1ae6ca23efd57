"""The plugins that run as commands of this machine: what an operator's ``plugin.yaml`` files say (Argo CD's ConfigManagementPlugin, reference 1.16).

What Argo CD's format has no word for stands in annotations that begin with ``homeostat/``. Fields that are not known here are passed over, as Argo CD
does; what is known and makes no sense is an error at start, since no app could use the plugin.
"""

from __future__ import annotations

import re
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal

import msgspec

from homeostat.desired.plugins.errors import PluginConfigError
from homeostat.model import durations, yaml
from homeostat.model.errors import InvalidError

_LARGEST = 1024 * 1024
_LONGEST = 3600.0
_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")
_OURS = "homeostat/"


class Shown(StrEnum):
    """What a plugin is shown of a repository, and so what its manifests depend on."""

    REPOSITORY = "repository"
    FOLDER = "folder"


class Command(msgspec.Struct, frozen=True):
    """A program and its arguments. No shell reads them."""

    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()

    @property
    def line(self) -> tuple[str, ...]:
        return (*self.command, *self.args)


class Find(Command, frozen=True):
    """Looks for files by ``glob``, or asks a command: whatever it says means yes."""

    glob: str = ""


class Discover(msgspec.Struct, frozen=True, rename="camel"):
    """How a plugin finds out whether a folder is for it: the first that is set counts."""

    file_name: str = ""
    find: Find = Find()

    def __bool__(self) -> bool:
        return bool(self.file_name or self.find.glob or self.find.command)


class Parameters(msgspec.Struct, frozen=True):
    """The parameters that a plugin says it understands: always the same ones, and what a command says (JSON) of an app."""

    static: tuple[dict[str, Any], ...] = ()
    dynamic: Command = Command()


class Spec(msgspec.Struct, frozen=True, rename="camel"):
    generate: Command
    version: str = ""
    init: Command = Command()
    discover: Discover = Discover()
    parameters: Parameters = Parameters()
    preserve_file_mode: bool = False
    provide_git_creds: bool = False


class _Metadata(msgspec.Struct, frozen=True):
    name: str
    annotations: dict[str, str] = {}


class _File(msgspec.Struct, frozen=True, rename="camel"):
    api_version: Literal["argoproj.io/v1alpha1"]
    kind: Literal["ConfigManagementPlugin"]
    metadata: _Metadata
    spec: Spec


class Jail(msgspec.Struct, frozen=True):
    """What a plugin's commands may use and see. ``seconds`` is for init and generate together (Argo CD's 90); bytes otherwise.

    ``memory`` is for each of its processes; ``file`` for each file that it writes. ``readable`` are folders of the machine besides the system's.
    """

    network: bool = False
    seconds: float = 90.0
    memory: int = 1024 * 1024 * 1024
    output: int = 64 * 1024 * 1024
    file: int = 256 * 1024 * 1024
    processes: int = 256
    readable: tuple[str, ...] = ()


class Definition(msgspec.Struct, frozen=True):
    """A plugin as its file defines it. Apps call it by ``name``: with the version, where it has one."""

    name: str
    spec: Spec
    jail: Jail = Jail()
    shown: Shown = Shown.REPOSITORY


def read_folder(folder: Path) -> tuple[Definition, ...]:
    """The plugins of ``folder``, by name: each ``*.yaml`` in it and each ``*/plugin.yaml``. Raises :class:`PluginConfigError`."""
    try:
        files = sorted(
            path
            for pattern in ("*.yaml", "*.yml", "*/plugin.yaml")
            for path in folder.glob(pattern)
            if not path.relative_to(folder).parts[0].startswith(".")  # the folders behind the links of a mounted ConfigMap
        )
        found: dict[str, Path] = {}
        definitions = []
        for path in files:
            definition = read(path.read_bytes()[: _LARGEST + 1], str(path))
            if definition.name in found:
                raise PluginConfigError(f"{path}: a plugin named {definition.name} is in {found[definition.name]} already")
            found[definition.name] = path
            definitions.append(definition)
    except OSError as error:
        raise PluginConfigError(f"{error.filename or folder}: {error.strerror}") from error
    return tuple(sorted(definitions, key=lambda definition: definition.name))


def read(text: bytes, name: str) -> Definition:
    """A ``plugin.yaml``; ``name`` is the file's. Raises :class:`PluginConfigError`."""
    if len(text) > _LARGEST:
        raise PluginConfigError(f"{name}: larger than {_LARGEST} bytes")
    try:
        file = msgspec.convert(yaml.load(text, name=name), _File)
    except (InvalidError, msgspec.ValidationError) as error:
        raise PluginConfigError(str(error) if name in str(error) else f"{name}: {error}") from error
    if not _NAME.fullmatch(file.metadata.name):
        raise PluginConfigError(
            f"{name}: metadata.name: expected a name of letters, digits, `-`, `_` and `.`, found {file.metadata.name!r}"
        )
    spec = file.spec
    if spec.version and not _NAME.fullmatch(spec.version):
        raise PluginConfigError(f"{name}: spec.version: expected letters, digits, `-`, `_` and `.`, found {spec.version!r}")
    if not spec.generate.command:
        raise PluginConfigError(f"{name}: spec.generate.command: expected a program and its arguments")
    if spec.provide_git_creds:
        raise PluginConfigError(
            f"{name}: spec.provideGitCreds: credentials are not given to plugins", hint="give the plugin what it needs by a path of its own"
        )
    full = f"{file.metadata.name}-{spec.version}" if spec.version else file.metadata.name
    jail, shown = _ours(file.metadata.annotations, name)
    return Definition(full, spec, jail, shown)


def _ours(annotations: dict[str, str], name: str) -> tuple[Jail, Shown]:
    options: dict[str, Any] = {}
    shown = Shown.REPOSITORY
    for annotation, text in annotations.items():
        if not annotation.startswith(_OURS):
            continue
        try:
            match annotation.removeprefix(_OURS):
                case "network":
                    options["network"] = {"allowed": True, "none": False}[text]
                case "timeout":
                    options["seconds"] = _seconds(text)
                case "memory":
                    options["memory"] = _bytes(text)
                case "readable":
                    options["readable"] = _folders(text)
                case "shown":
                    shown = Shown(text)
                case _:
                    raise PluginConfigError(f"{name}: metadata.annotations: there is no {annotation}")
        except (KeyError, ValueError, InvalidError) as error:
            if isinstance(error, PluginConfigError):
                raise
            raise PluginConfigError(f"{name}: {annotation}: {_EXPECTED[annotation.removeprefix(_OURS)]}, found {text!r}") from error
    return Jail(**options), shown


_EXPECTED = {
    "network": "expected `allowed` or `none`",
    "timeout": "expected a duration such as 90s, an hour at most",
    "memory": "expected an amount such as 512Mi",
    "readable": "expected absolute paths with `:` between them",
    "shown": "expected `repository` or `folder`",
}


def _seconds(text: str) -> float:
    found = durations.parse(text)
    if not 0 < found <= _LONGEST:
        raise ValueError(text)
    return found


def _bytes(text: str) -> int:
    found = re.fullmatch(r"([1-9][0-9]{0,6})(Mi|Gi)", text)
    if found is None:
        raise ValueError(text)
    return int(found[1]) << {"Mi": 20, "Gi": 30}[found[2]]


def _folders(text: str) -> tuple[str, ...]:
    paths = tuple(text.split(":"))
    if not all(path.startswith("/") and path.strip("/") for path in paths):
        raise ValueError(text)
    return paths
