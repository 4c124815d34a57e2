"""The environment in which an ordinary program can load a sanitized module."""

import functools
import os
import subprocess

OPTIONS = {
    "ASAN_OPTIONS": "detect_leaks=0:abort_on_error=1:handle_abort=0",
    "UBSAN_OPTIONS": "halt_on_error=1:abort_on_error=1:print_stacktrace=1",
}


@functools.lru_cache(maxsize=None)
def environment():
    wanted = os.environ.get("SANITIZE", "")
    if not wanted:
        return {}
    compiler = os.environ.get("CC", "gcc").split()[-1]
    libraries = {"address": "libasan.so", "undefined": "libubsan.so"}
    found = [subprocess.run([compiler, f"-print-file-name={libraries[name]}"], check=True,
                            capture_output=True, text=True).stdout.strip()
             for name in wanted.split(",") if name in libraries]
    # Any file name in gcc's folder may be a linker script or a link: the loader wants the library.
    return {"LD_PRELOAD": " ".join(map(os.path.realpath, found)), **OPTIONS}
