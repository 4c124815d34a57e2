"""The kinds of TPM. Each has `tcti` for TSS programs and `word` for the configuration."""

import os
import shutil
import socket
import subprocess

from . import clients, process


class Embedded:
    """The TPM in the process itself, from this build."""

    def __init__(self, build, directory):
        self.library = os.path.join(build, "libtss2-tcti-signet.so.0")
        self.directory = directory
        os.makedirs(directory, mode=0o700)
        self.tcti = f"{self.library}:dir={directory}"
        self.word = f"embedded:{directory}"

    def apart(self, directory):
        """The same TPM for another user, as it is now."""
        copy = Embedded(os.path.dirname(self.library), directory)
        shutil.copytree(self.directory, directory, dirs_exist_ok=True)
        return copy

    def stop(self):
        pass


class Swtpm:
    """A software TPM behind a socket. It serves one connection at a time."""

    def __init__(self, directory):
        os.makedirs(directory, mode=0o700)
        self.directory = directory
        for _ in range(10):
            self.port = free_port_pair()
            self.child = self.start()
            if process.answers(self.child, self.port + 1):
                break
            self.stop()
        else:
            raise RuntimeError("swtpm does not start")
        self.word = self.tcti = f"swtpm:host=127.0.0.1,port={self.port}"
        self.forgive()

    def start(self):
        address = "type=tcp,bindaddr=127.0.0.1,port"
        with open(os.path.join(self.directory, "log"), "wb") as log:
            return subprocess.Popen(
                [clients.need("swtpm"), "socket", "--tpm2", "--tpmstate", f"dir={self.directory}",
                 "--server", f"{address}={self.port}", "--ctrl", f"{address}={self.port + 1}",
                 "--flags", "not-need-init,startup-clear"],
                start_new_session=True, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def forgive(self):
        """Wrong PINs are part of the tests, and a new swtpm locks up after three."""
        subprocess.run([clients.need("tpm2_dictionarylockout"), "-T", self.tcti,
                        "--setup-parameters", "--max-tries=1000", "--recovery-time=1",
                        "--lockout-recovery-time=1"], check=True, stdin=subprocess.DEVNULL)

    def left_behind(self):
        """What clients left loaded, which nobody else would remove; it is removed here."""
        said = subprocess.run([clients.need("tpm2_getcap"), "-T", self.tcti, "handles-transient"],
                              check=True, capture_output=True, text=True)
        left = said.stdout.split("- ")[1:]
        if left:
            subprocess.run([clients.need("tpm2_flushcontext"), "-T", self.tcti, "-t"], check=True)
        return [f"an object in the TPM: {handle.strip()}" for handle in left]

    def stop(self):
        process.end_session(self.child)
        self.child.wait()

    def apart(self, _directory):
        return self


class Device:
    """The machine's own TPM, of which only transient objects are touched."""

    PATH = "/dev/tpmrm0"

    def __init__(self):
        if not os.access(self.PATH, os.R_OK | os.W_OK):
            raise RuntimeError(f"{self.PATH} is not there or not permitted: no TPM to test with")
        self.word = self.tcti = f"device:{self.PATH}"

    def apart(self, _directory):
        return self

    def stop(self):
        pass


def start(kind, build, directory):
    if kind == "embedded":
        return Embedded(build, directory)
    if kind == "swtpm":
        return Swtpm(directory)
    return Device()


def free_port_pair():
    """A port that is free together with the next one, of which swtpm's TCTI takes the control."""
    while True:
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            try:
                second.bind(("127.0.0.1", first.getsockname()[1] + 1))
            except (OSError, OverflowError):
                continue
            return first.getsockname()[1]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
