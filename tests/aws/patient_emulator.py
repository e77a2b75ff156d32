"""Runs the emulator, in its own environment, with patience for what a function says last.

It waits 50 ms for a function's log lines and loses those that a busy machine is later with. Everything here says
something in each invocation, so that it may as well wait for it.
"""

from ministack.app import main
from ministack.core.lambda_runtime import Worker

FIRST_LINE, SILENCE, MOST = 2.0, 0.05, 5.0

Worker._drain_stderr_bounded.__defaults__ = (FIRST_LINE, SILENCE, MOST)
main()
