"""The HTTP server of the controller: who may listen where."""

from __future__ import annotations

import pytest

from homeostat.web import probes


async def test_an_address_that_is_taken_is_an_error_with_a_hint() -> None:
    async with probes.serve(host="127.0.0.1", port=0, ready=lambda: True) as port:
        with pytest.raises(probes.ListenError) as caught:
            async with probes.serve(host="127.0.0.1", port=port, ready=lambda: True):
                raise AssertionError("two servers listen on one port")
    assert f"127.0.0.1:{port}" in caught.value.message
    assert "--listen" in caught.value.hint
