"""Threads share the memory they free."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

COUNTED = """
import ctypes, threading
from botplatform.hosts.allocation import share_freed_memory

{}
barrier = threading.Barrier(8)
def allocate():
    kept = [bytes(2000) for _ in range(1000)]
    barrier.wait()

threads = [threading.Thread(target=allocate) for _ in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
libc = ctypes.CDLL(None)
libc.fdopen.restype = ctypes.c_void_p
libc.malloc_info(0, ctypes.c_void_p(libc.fdopen(1, b"w")))
libc.fflush(None)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has arenas")
@pytest.mark.parametrize(("called", "arenas"), [("share_freed_memory()", {1}), ("", {*range(2, 100)})])
def test_threads_share_one_arena_once_they_are_told_to(called: str, arenas: set[int]) -> None:
    command = [sys.executable, "-c", COUNTED.format(called)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.count("<heap nr=") in arenas


def test_what_is_loaded_is_not_looked_through_again_for_cycles_and_new_ones_are_still_found() -> None:
    program = """
import gc, weakref
from botplatform.hosts.allocation import collect_seldom

class Node: pass

collect_seldom()
assert gc.get_freeze_count() > 1000
seen = []
while not seen:
    node = Node()
    node.itself = node
    weakref.finalize(node, seen.append, True)
"""
    subprocess.run([sys.executable, "-c", program], timeout=60, check=True)
