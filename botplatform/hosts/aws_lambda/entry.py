"""What Lambda calls. Alone of all modules it reads the environment and loads plugins when it is imported.

Lambda starts a function before its first event comes, where it may, and with more CPU than it gives it later: what can
be done once is done then.
"""

from __future__ import annotations

import gc
import os
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from botplatform.hosts.aws_lambda.function import Function


def _start() -> Function:
    # What is made now stays for good: to look through it for garbage, again and again, would be a tenth of the start.
    gc.disable()
    from botplatform.hosts.aws_lambda.function import Function

    function = Function(os.environ)
    # What plugins log shows from INFO on, as on a laptop. Lambda's runtime logs; where nobody does, nobody reads it.
    if "logging" in sys.modules:
        sys.modules["logging"].getLogger("botplatform").setLevel("INFO")
    gc.freeze()
    gc.enable()
    return function


_function = _start()


def handle(event: Any, context: Any) -> Any:
    """Answer one invocation: `event` as Lambda decoded it, `context` what it says of the invocation."""
    return _function(event, context)
