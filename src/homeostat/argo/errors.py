"""What can go wrong between us and Argo CD's resources, apart from what the API server itself refuses.

HomeostatError
├── NotInstalledError   the API server does not know Argo CD's kinds
└── InstallError        what was to be installed did not come up in time, or there is nothing to install from
"""

from __future__ import annotations

from homeostat.model.errors import HomeostatError


class NotInstalledError(HomeostatError):
    """The custom resource definitions are not on the cluster."""

    def __init__(self, kind: str) -> None:
        super().__init__(f"the cluster does not know the kind {kind} of argoproj.io", hint="put it there with `homeostat install`")


class InstallError(HomeostatError):
    """Something that was to be installed did not come up, or could not be found."""
