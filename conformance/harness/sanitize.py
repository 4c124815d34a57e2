"""The environment in which an ordinary program can load a sanitized module."""

import os
import subprocess

PRELOAD = os.path.join(os.path.dirname(__file__), "..", "..", "scripts", "sanitizer-preload")
OPTIONS = {
    "ASAN_OPTIONS": "detect_leaks=0:abort_on_error=1:handle_abort=0",
    "UBSAN_OPTIONS": "halt_on_error=1:abort_on_error=1:print_stacktrace=1",
}
_environment = {}


def prepare(directory):
    """Once, before anything is run; a helper library is kept in the directory."""
    if os.environ.get("SANITIZE"):
        said = subprocess.run([PRELOAD, directory], check=True, capture_output=True, text=True)
        _environment.update(OPTIONS, LD_PRELOAD=said.stdout.strip())


def environment():
    """Nothing for an ordinary build."""
    return dict(_environment)
