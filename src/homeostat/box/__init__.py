"""Starts and stops a real Kubernetes control plane on this machine, without containers, for trying and for testing.

The components are the real ones, in the one Go program of ``box/``; KWOK plays the nodes and the pods on them. A plane has a name, keeps
its data across stops, and is reached over HTTPS with its kubeconfig as any cluster is. Nothing but the command line and the tests imports
this package, and it imports no part of the product above the toolchain: whatever is tried on a box talks to it as to any other cluster.

- :mod:`homeostat.box.plane`: a plane by its name: up, down, status, reset
- :mod:`homeostat.box.components`: what runs and with which flags
- :mod:`homeostat.box.identity`: certificates, tokens and kubeconfigs
- :mod:`homeostat.box.process`: processes that outlive the command that started them
- :mod:`homeostat.box.lifeline`: processes that do not outlive it
"""
