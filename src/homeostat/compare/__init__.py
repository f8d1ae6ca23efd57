"""Compares desired with live: what differs (drift), what of it does not count (ignored differences), and whether live does its job (health).

Functions of two objects and nothing else: this package never asks the cluster and writes nothing. What the API server says an object will
become is handed in by whoever asked it. What follows from a difference is decided in ``loop`` and planned in ``sync``.
"""
