"""The repositories that apps name, with the credentials that the Secrets and settings of the control namespace have for them.

Each is made once, for it is made for every look at every app. What is done with a repository is not known here.
"""

from __future__ import annotations

from collections.abc import Mapping

from homeostat.argo.control import ControlPlane
from homeostat.desired.sources.chart_credentials import chart_repository, chart_repository_names
from homeostat.desired.sources.charts import ChartRepository
from homeostat.desired.sources.credentials import credentials_for
from homeostat.desired.sources.git import Repo


class Repositories:
    """As the control plane has them now: a Secret or a setting that changes takes effect at once."""

    def __init__(self, control: ControlPlane) -> None:
        self._control = control
        self._git: dict[tuple[str, str], Repo] = {}
        self._charts: dict[tuple[str, str, bool], ChartRepository] = {}
        self._names: dict[str, Mapping[str, str]] = {}
        control.subscribe_repositories(self._forget)
        control.subscribe_settings(self._forget)

    def git(self, url: str, project: str) -> Repo:
        """The Git repository at ``url`` for an app of ``project``. Raises :class:`~homeostat.model.errors.HomeostatError` for an address that is none."""
        known = self._git.get((url, project))
        if known is None:
            trusted = self._control.settings
            credentials = credentials_for(url, self._control.secrets, trusted.tls_certs, trusted.known_hosts, project=project)
            known = self._git[url, project] = Repo(url, credentials)
        return known

    def charts(self, url: str, project: str, everywhere: bool) -> ChartRepository:
        """The Helm repository or registry at ``url``; ``everywhere`` is ``passCredentials``. Raises like :meth:`git`."""
        known = self._charts.get((url, project, everywhere))
        if known is None:
            secrets, certificates = self._control.secrets, self._control.settings.tls_certs
            known = chart_repository(url, secrets, certificates, project=project, everywhere=everywhere)
            self._charts[url, project, everywhere] = known
        return known

    def names(self, project: str) -> Mapping[str, str]:
        """The addresses behind the names of Helm repositories, as an app of ``project`` knows them."""
        known = self._names.get(project)
        if known is None:
            known = self._names[project] = chart_repository_names(self._control.secrets, project=project)
        return known

    def _forget(self) -> None:
        self._git.clear()
        self._charts.clear()
        self._names.clear()
