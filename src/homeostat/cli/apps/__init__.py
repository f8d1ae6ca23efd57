"""The verbs of ``homeostat app``: one module each, and what they share.

``common`` declares options and runs a verb, ``control`` reads and changes Applications, ``words`` puts one into words, ``errors`` is what can go
wrong. Nothing here decides anything about an app: requests are written where the controller finds them, and what it wrote is shown.
"""
