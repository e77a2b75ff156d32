"""A worker that looks after effects left behind each second, not each minute: `python impatient.py QUEUE`."""

from __future__ import annotations

import os
import sys
from functools import partial
from pathlib import Path

from botplatform.hosts.worker.journal import Journal
from botplatform.hosts.worker.main import serve
from botplatform.hosts.worker.worker import Worker
from botplatform.settings import Settings

if __name__ == "__main__":
    journal = Journal(sys.stdout, every=True)
    settings = Settings.read(os.environ)
    worker = Worker(settings, sys.argv[1:], [Path("plugins")], journal, sweep_every=1, grace=5)
    serve(worker, partial(print, file=sys.stderr, flush=True))
