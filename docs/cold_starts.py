"""What a first event takes on Lambda on paper, from what it takes on a laptop: the table of docs/cold-starts.md."""

from __future__ import annotations

# Seconds of CPU for a whole process and its first event: `python -m benchmarks cold_start`, "CPU ms".
BARE = 0.0093
KEEPS_NOTHING = 0.031
WITH_STATE = 0.176
SLACK = 0.056  # "deployed": it asks for its secret
SLACK_WITH_STATE = 0.182
ALEXA = 0.035
CLIENT = 0.221
BOLT = 0.245
ASK = 0.077

STARTS = {
    "bare Python": BARE,
    "a handler that keeps nothing": KEEPS_NOTHING,
    "Slack's first command": SLACK,
    "Alexa's first intent": ALEXA,
    "a handler with state": WITH_STATE,
    "Slack's first command, with state": SLACK_WITH_STATE,
    "for comparison: one boto3 client, no event": CLIENT,
    "slack-bolt's adapter for Lambda, first command": BOLT,
    "ask-sdk, first intent": ASK,
}
MEMORIES = (128, 256, 512)  # MB
# AWS Lambda, "Configure function memory": at 1,769 MB a function has one vCPU, and less in proportion.
ONE_VCPU = 1769  # MB


def on_paper(seconds: float, memory: int) -> float:
    """Seconds it takes to compute in a function of `memory` MB what takes one whole core `seconds`."""
    return seconds * max(1, ONE_VCPU / memory)
