"""Resource actions: what a person may have done to one object (restart, scale, create a job of it), written in Lua by Argo CD's contract.

Here scripts are found and run, and what they return becomes requests as data. Sending requests, and choosing the objects of an app, does not
belong here: nothing in this package talks to a cluster.
"""
