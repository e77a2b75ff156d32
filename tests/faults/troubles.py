"""What a network can do to a connection with a broker."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any, NamedTuple

from tests.faults import packets
from tests.faults.impatient import KEEPALIVE
from tests.faults.proxy import Proxy

# A connection is cut at one of so many acknowledgements: half of a batch of messages.
MOST = 60


class Trouble(NamedTuple):
    """What a network does, once it begins; and at the end, besides being a good one again.

    `breaks` says that it ends connections, `repeats` that messages are delivered again for it.
    """

    begin: Callable[[Proxy], object]
    end: Callable[[Proxy], object] = lambda _: None
    seconds: float = 0.1
    breaks: bool = True
    repeats: bool = False


def _slow(delay: float = 0, rate: int = 0) -> Callable[[Proxy], None]:
    def begin(proxy: Proxy) -> None:
        proxy.delay, proxy.rate = delay, rate

    return begin


def _editing(edit: Callable[[], Any]) -> Callable[[Proxy], None]:
    def begin(proxy: Proxy) -> None:
        proxy.to_client = edit
        proxy.hang_up()  # an edit begins with a connection

    return begin


def _cut_before_pubacks(proxy: Proxy) -> None:
    """For as long as it lasts, each connection gets some acknowledgements less through than it should."""
    proxy.to_server = lambda: packets.cut_before_puback(random.randint(1, MOST))
    proxy.hang_up()


TROUBLES = {
    "connection reset": Trouble(Proxy.hang_up),
    "connections refused": Trouble(Proxy.refuse),
    "half closed by the broker": Trouble(lambda proxy: proxy.half_close(client=True)),
    "half closed by us": Trouble(lambda proxy: proxy.half_close(client=False)),
    "partitioned, and connected again": Trouble(Proxy.swallow, Proxy.hang_up, seconds=1.2 * KEEPALIVE),
    "partitioned until we hang up": Trouble(Proxy.swallow, seconds=2.5 * KEEPALIVE),
    "held back": Trouble(Proxy.swallow, seconds=0.5, breaks=False),
    "delayed": Trouble(_slow(delay=0.1), seconds=0.5, breaks=False),
    "throttled": Trouble(_slow(rate=2000), seconds=1.0, breaks=False),
    "acknowledgements lost": Trouble(_cut_before_pubacks, seconds=0.5, repeats=True),
    "delivered twice": Trouble(_editing(packets.doubled), Proxy.hang_up, seconds=0.3, repeats=True),
    "topics mixed up": Trouble(_editing(packets.mixed_up), Proxy.hang_up, seconds=0.3),
}
