"""Run Python code in a process of its own and kill it, as a power cut would."""

import os
import signal
import subprocess
import sys
import time


def kill_once(reached, code, *arguments):
    """Start code with arguments, and kill it as soon as `reached()` is true.

    It imports what this process does. It should wait for ``sys.stdin.read()`` some way behind that point,
    since a busy machine may be slow to kill.
    """
    path = os.pathsep.join(filter(None, sys.path))
    run = subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": path},
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    said = b""
    try:
        while run.poll() is None and not reached():
            time.sleep(0.005)
    finally:
        run.kill()
        said = run.communicate()[1]
    assert run.returncode == -signal.SIGKILL, f"the run ended before it could be killed: {said.decode()}"
