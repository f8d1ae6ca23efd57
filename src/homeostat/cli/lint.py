"""``homeostat lint PATH…``: whether what lies in a repository would do, before anybody pushes it. What is looked at and how is in ``homeostat.lint``."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from contextlib import AsyncExitStack
from pathlib import Path

import click
import msgspec

from homeostat import toolchain
from homeostat.cli import fetching
from homeostat.cli import output as out
from homeostat.cli import plugins as plugins_
from homeostat.cli.render import root_of
from homeostat.desired.local import LocalTree
from homeostat.desired.plugins.plugins import Plugins
from homeostat.desired.sources.working_copy import WorkingCopy
from homeostat.evaluate.pool import Pool
from homeostat.lint.apps import Here
from homeostat.lint.findings import RULES, Finding, Severity, chosen
from homeostat.lint.junit import junit
from homeostat.lint.run import Linter, Report
from homeostat.lint.sarif import sarif
from homeostat.lint.schemas import Catalogue
from homeostat.lint.walk import excluding
from homeostat.model import yaml
from homeostat.model.errors import InvalidError

CLEAN, FOUND = 0, 1

SETTINGS = ".homeostat-lint.yaml"

_RANK = {severity: rank for rank, severity in enumerate(Severity)}


class Settings(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """``.homeostat-lint.yaml`` at the root of the repository: what the options of the same names say, which are added or win."""

    skip: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    schemas: tuple[str, ...] = ()
    kube_version: str = ""
    build_options: str = ""


@click.command(name="lint")
@click.argument("paths", metavar="[PATH]...", nargs=-1, type=click.Path(exists=True, path_type=Path))
@click.option(
    "--kube-version", default="", metavar="VERSION", help="The Kubernetes version whose schemas count. By default the newest that ships."
)
@click.option(
    "--schemas",
    multiple=True,
    metavar="DIR",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="A folder with more schemas: CustomResourceDefinitions (YAML), OpenAPI v3 documents of an API server (JSON).",
)
@click.option("--rule", "only", multiple=True, metavar="RULE", help="Look for this alone. May be repeated.")
@click.option("--skip", multiple=True, metavar="RULE", help="Do not look for this. May be repeated.")
@click.option("--exclude", multiple=True, metavar="GLOB", help="Leave out paths such as `third-party/**`, from the root. May be repeated.")
@click.option(
    "--repo-url", multiple=True, metavar="URL", help="An address of this repository, as Applications name it. By default its remotes."
)
@click.option("--build-options", default="", metavar="OPTIONS", help="Options of `kustomize build`, such as `--enable-helm`.")
@click.option("--fetch", is_flag=True, help="Fetch what lies elsewhere, too: sources of Applications, dependencies of charts.")
@plugins_.plugin_options
@click.option(
    "--fail-on",
    type=click.Choice([severity.value for severity in Severity]),
    default=Severity.ERROR.value,
    show_default=True,
    help="What is bad enough for exit code 1.",
)
@click.option("--rules", "show_rules", is_flag=True, help="Print the rules, and do nothing else.")
@out.format_option("table", "json", "yaml", "sarif", "junit")
def lint(
    *,
    paths: tuple[Path, ...],
    kube_version: str,
    schemas: tuple[Path, ...],
    only: tuple[str, ...],
    skip: tuple[str, ...],
    exclude: tuple[str, ...],
    repo_url: tuple[str, ...],
    build_options: str,
    fetch: bool,
    plugins: Path | None,
    plugin_sockets: Path | None,
    fail_on: str,
    show_rules: bool,
    output: str,
) -> int:
    """Render everything below PATH (by default here) and hold it against the schemas of Kubernetes, of Argo CD, and of the definitions found there.

    Applications, ApplicationSets, projects, overlays, charts, Jsonnet and plain manifests. Needs no cluster, and no network without --fetch. Exits with 0 when
    nothing bad was found, with 1 when something was, or when it could not be looked at.
    """
    if show_rules:
        out.print_table(["rule", "severity", "about"], [(rule.id, rule.severity, rule.about) for rule in RULES.values()])
        return CLEAN
    places = [Path(os.path.abspath(path)) for path in paths or (Path(),)]  # noqa: PTH100 - links are the tree's business
    root = _root(places)
    settings = _settings(root)
    counted = chosen(only, (*settings.skip, *skip))
    catalogue = Catalogue(kube_version or settings.kube_version)
    for folder in (*(root / name for name in settings.schemas), *schemas):
        catalogue.load(folder)
    with out.progress() as tell:
        program = toolchain.program("evaluator", progress=tell)
        report = asyncio.run(
            _look(
                program,
                LocalTree(root),
                [path.relative_to(root).as_posix() for path in places],
                catalogue,
                Here(repo_url or _remotes(root)),
                tell,
                exclude=(*settings.exclude, *exclude),
                build_options=tuple((build_options or settings.build_options).split()),
                fetch=fetch,
                plugins=plugins_.given(plugins, plugin_sockets),
            )
        )
    findings = tuple(one for one in report.findings if one.rule in counted)
    _print(msgspec.structs.replace(report, findings=findings), output, catalogue.version)
    return FOUND if any(_RANK[one.severity] <= _RANK[Severity(fail_on)] for one in findings) else CLEAN


async def _look(
    program: Path,
    tree: LocalTree,
    starts: list[str],
    catalogue: Catalogue,
    here: Here,
    tell: out.Progress,
    *,
    exclude: tuple[str, ...],
    build_options: tuple[str, ...],
    fetch: bool,
    plugins: Plugins,
) -> Report:
    async with AsyncExitStack() as stack:
        pool = await stack.enter_async_context(Pool(program=program, size=os.cpu_count() or 2))
        fetched = await stack.enter_async_context(fetching.fetching(pool)) if fetch else None
        linter = Linter(
            tree=tree, pool=pool, catalogue=catalogue, here=here, tell=tell, build_options=build_options, fetch=fetched, plugins=plugins
        )
        return await linter.run(["" if start == "." else start for start in starts], left_out=excluding(exclude))


def _remotes(root: Path) -> tuple[str, ...]:
    return WorkingCopy(root).remotes() if (root / ".git").exists() else ()


def _root(places: list[Path]) -> Path:
    """The working copy that all of ``places`` are in, else the folder that holds them."""
    common = Path(os.path.commonpath(places))
    return root_of(common if common.is_dir() else common.parent)


def _settings(root: Path) -> Settings:
    path = root / SETTINGS
    if not path.is_file():
        return Settings()
    try:
        return msgspec.convert(yaml.load(path.read_bytes(), name=SETTINGS) or {}, Settings)
    except msgspec.ValidationError as error:
        raise InvalidError(f"{SETTINGS}: {error}", hint=f"its fields are {', '.join(Settings.__struct_encode_fields__)}") from error


def _print(report: Report, output: str, version: str) -> None:
    findings = report.findings
    if output == "sarif":
        out.print_data(sarif(findings), "json")
    elif output == "junit":
        click.echo(junit(findings), nl=False)
    elif output in {"json", "yaml"}:
        counts = {"files": report.files, "objects": report.objects, "applications": report.apps, "renders": report.renders}
        out.print_data({"kubernetes": version, **counts, "findings": findings}, output)
    else:
        if findings:
            colours = {"error": "red", "warning": "yellow", "info": "cyan"}
            out.print_table(["place", "severity", "rule", "object", "message"], [_row(one) for one in findings], colours=colours)
        told = Counter(one.severity for one in findings)
        counts_of = ", ".join(f"{told[severity]} {_NOUNS[severity][told[severity] != 1]}" for severity in Severity if told[severity])
        looked = f"{report.objects} objects of {report.files} files and {report.apps} Applications looked at"
        click.echo(f"{looked} (Kubernetes {version}): {counts_of or 'nothing found'}", err=True)


_NOUNS = {Severity.ERROR: ("error", "errors"), Severity.WARNING: ("warning", "warnings"), Severity.INFO: ("remark", "remarks")}


def _row(one: Finding) -> tuple[str, ...]:
    return one.place, one.severity, one.rule, one.object, f"{one.message} ({one.hint})" if one.hint else one.message
