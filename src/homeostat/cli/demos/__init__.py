"""``homeostat demo``: a control plane, a Git server, the controller and four example apps on this machine, seen at work.

``stage`` holds what is there before and after everything else (folders, the control plane, signals), ``world`` what runs on it, ``board`` shows it
to a person, ``story`` plays it by itself. The control plane, the Git server and the controller are the real ones; nothing is acted out.
"""
