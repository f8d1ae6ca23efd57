"""Config management plugins: other people's programs that make manifests of a repository, by Argo CD's contract (ConfigManagementPlugin v2).

A plugin is a command in a jail (``command.py``) or a sidecar of Argo CD's making (``sidecar.py``); whoever renders knows only ``plugin.py``. What its
manifests mean is not known here.
"""
