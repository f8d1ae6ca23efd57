"""From a tree and an app's options to desired objects: detect the tool, ask an evaluator, keep what still holds, put in order what came.

``renderer.py`` is the way in; ``normalise.py`` comes after it. Other people's programs are not run here but by ``evaluate``, and nothing here
knows a cluster.
"""
