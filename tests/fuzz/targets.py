"""Everything that reads what strangers write, by name."""

from __future__ import annotations

from tests.fuzz.app import App
from tests.fuzz.platforms import platform_targets
from tests.fuzz.records import SOURCES, record_targets
from tests.fuzz.target import Target
from tests.fuzz.texts import text_targets

PLATFORMS = ("chain", "http")
NAMES = (
    *(f"normalize-{name}" for name in SOURCES),
    *("normalize-binary", "envelope", "file", "queue", "lambda", "device"),
    *("pattern", "schedule", "topic", "command", "time", "settings"),
    *PLATFORMS,
)


def all_targets(app: App | None) -> dict[str, Target]:
    """The targets; without an app, those that need none.

    A platform has msgspec read all JSON of its process. Without one Python's own does, as in a function on Lambda.
    """
    targets = [*record_targets(), *text_targets(), *(platform_targets(app) if app else ())]
    return {target.name: target for target in targets}
