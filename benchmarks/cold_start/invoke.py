"""What Lambda's own bootstrap does, and no more: import the module, hand it the event, write down its answer."""

import json
import sys
from importlib import import_module


class Context:
    """What Lambda says of an invocation."""

    function_name = "cold_start"
    memory_limit_in_mb = 256
    invoked_function_arn = "arn:aws:lambda:us-east-1:000000000000:function:cold_start"
    aws_request_id = "1"

    def get_remaining_time_in_millis(self) -> int:
        """As long as a function usually has."""
        return 30_000


print(json.dumps(import_module(sys.argv[1]).handle(json.load(sys.stdin), Context())))
