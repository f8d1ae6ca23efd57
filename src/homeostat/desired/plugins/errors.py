"""What can be wrong with how plugins are set up. What goes wrong when one runs is a :class:`homeostat.desired.errors.RenderError`.

::

    PluginConfigError    (InvalidError) a plugin.yaml that means nothing: whoever runs Homeostat mends it
"""

from __future__ import annotations

from homeostat.model.errors import InvalidError


class PluginConfigError(InvalidError):
    """A plugin's configuration does not say what it has to. The message names the file and the field."""
