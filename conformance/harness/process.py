"""Running one program to its end, and judging what it said."""

import os
import re
import shlex
import signal
import socket
import subprocess
import time

LIBRARY_NOISE = re.compile(
    r"^(ERROR|WARNING|INFO|DEBUG|TRACE):(tcti|esys|sys|mu|rc|fapi|marshal|tctildr)\b|libtpms",
    re.MULTILINE)
SANITIZER_REPORT = re.compile(r"ERROR: \w+Sanitizer|runtime error:|WARNING: ThreadSanitizer")


class Result:
    """How a program ended: status (negative: a signal), out and err as text."""

    def __init__(self, argv, status, out, err):
        self.argv, self.status = argv, status
        self.bytes = out
        self.out = out.decode(errors="replace")
        self.err = err.decode(errors="replace")
        self.said = self.out + self.err

    def __str__(self):
        return f"$ {shlex.join(self.argv)}\n{self.said.rstrip()}\n(status {self.status})"


def run(argv, env, cwd, stdin=b"", limit=60):
    """Runs a program in a session of its own; nothing of it outlives the limit."""
    child = subprocess.Popen(argv, env=env, cwd=cwd, start_new_session=True,
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        out, err = child.communicate(stdin, timeout=limit)
    except subprocess.TimeoutExpired:
        end_session(child)
        out, err = child.communicate()
        err += f"\n-- stopped: it ran for more than {limit} s\n".encode()
    return Result([str(word) for word in argv], child.returncode, out, err)


def answers(child, *ports, seconds=10):
    """Waits until the server accepts connections; False if it ended or takes too long."""
    late = time.monotonic() + seconds
    while child.poll() is None and time.monotonic() < late:
        if all(map(accepts, ports)):
            return True
        time.sleep(0.02)
    return False


def accepts(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
        return True
    except OSError:
        return False


def end_session(child, how=signal.SIGKILL):
    try:
        os.killpg(child.pid, how)
    except ProcessLookupError:
        pass


def carrying(mark):
    """The processes whose environment holds this text: pid -> command line."""
    found = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/environ", "rb") as file:
                if mark.encode() not in file.read():
                    continue
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                command = file.read().replace(b"\0", b" ").decode(errors="replace").strip()
        except OSError:
            continue
        if command:
            found[int(pid)] = command
    return found


def complaints(text):
    """What no program may say: library noise and sanitizer reports."""
    lines = text.splitlines()
    return [line for line in lines if LIBRARY_NOISE.search(line) or SANITIZER_REPORT.search(line)]
