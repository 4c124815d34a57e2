"""A temporary home in which real clients use the module, and leave nothing behind."""

import contextlib
import os
import shutil
import signal
import subprocess

from . import clients, nobody, process, sanitize

OPENSSL_CONF = "openssl_conf = nothing\n[nothing]\n"


class Sandbox:
    def __init__(self, directory, module):
        self.directory, self.module = directory, module
        self.home = self.make("home")
        self.tmp = self.make("tmp")
        self.work = self.make("work")
        self.log = self.file("log")
        self.results = []
        self.before = []  # words before every command
        self.serving = {}
        self.own_files = set()  # in the homes, and not left behind
        self.write("openssl.cnf", OPENSSL_CONF)

    def make(self, name):
        path = os.path.join(self.directory, name)
        os.makedirs(path, mode=0o700)
        return path

    def file(self, name):
        return os.path.join(self.directory, name)

    def write(self, name, content):
        """A file of the test's own, beside the homes of the clients."""
        path = self.file(name)
        data = content if isinstance(content, bytes) else content.encode()
        with open(path, "wb") as file:
            file.write(data)
        return path

    def write_home(self, name, content):
        """A file in the clients' home that belongs there."""
        path = os.path.join(self.home, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        self.own_files.add(path)
        return self.write(path, content)

    def read(self, name):
        with open(self.file(name), "rb") as file:
            return file.read()

    def move_apart(self):
        """From now on the clients are nobody's, with copies of module, TPM and fixtures."""
        self.module = self.module.apart(self.make("apart"))
        self.before = nobody.drop_root()

    def serve(self, *names, extra=""):
        """From now on the module shows these keys."""
        self.serving = self.module.serve(self.directory, names, extra)

    def pin_file(self, key):
        return self.write("pin", self.module.pin(key) + "\n")

    def environment(self):
        """Nothing of the caller's environment but the path."""
        return {
            "PATH": clients.PATH, "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8", "TZ": "UTC",
            "HOME": self.home, "TMPDIR": self.tmp,
            "XDG_CONFIG_HOME": os.path.join(self.home, ".config"),
            "XDG_CACHE_HOME": os.path.join(self.home, ".cache"),
            "XDG_DATA_HOME": os.path.join(self.home, ".local/share"),
            "XDG_STATE_HOME": os.path.join(self.home, ".local/state"),
            "XDG_RUNTIME_DIR": self.tmp,
            "OPENSSL_CONF": self.file("openssl.cnf"),
            "SIGNET_TEST_SANDBOX": self.directory,
        }

    def module_environment(self):
        return {"PKCS11_MODULE_PATH": self.module.path, "SIGNET_LOG": self.log,
                **self.serving, **sanitize.environment()}

    def run(self, program, *arguments, status=0, env=(), without=(), **how):
        """A client that loads the module. `status` None: any but a crash."""
        __tracebackhide__ = True
        everything = {**self.environment(), **self.module_environment(), **dict(env)}
        for name in without:
            everything.pop(name, None)
        return self.execute(program, arguments, everything, status, **how)

    def tool(self, program, *arguments, status=0, env=(), **how):
        """A program that has nothing to do with the module."""
        __tracebackhide__ = True
        return self.execute(program, arguments, {**self.environment(), **dict(env)}, status, **how)

    def execute(self, program, arguments, env, status, **how):
        __tracebackhide__ = True
        if self.before:
            nobody.give_away(self.directory)
        argv = [*self.before, clients.need(program), *map(str, arguments)]
        result = process.run(argv, env, self.work, **how)
        self.results.append(result)
        if status is None:
            assert result.status >= 0, f"ended by signal {-result.status}:\n{self.story()}"
        else:
            assert result.status == status, f"status {status} was expected:\n{self.story()}"
        assert not process.complaints(result.said), f"not for a user's eyes:\n{self.story()}"
        return result

    @contextlib.contextmanager
    def server(self, program, *arguments, port):
        """A server that uses the module, from when it answers until the block ends."""
        env = {**self.environment(), **self.module_environment()}
        said = self.file("server")
        with open(said, "wb") as output:
            child = subprocess.Popen(
                [clients.need(program), *map(str, arguments)], env=env, cwd=self.work,
                start_new_session=True, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        try:
            assert process.answers(child, port), f"{program} does not answer: {self.read('server')}"
            yield
        finally:
            process.end_session(child)
            child.wait()
        complaints = process.complaints(self.read("server").decode(errors="replace"))
        assert not complaints, complaints

    def log_lines(self):
        if not os.path.exists(self.log):
            return []
        with open(self.log, encoding="utf-8", errors="replace") as file:
            return file.read().splitlines()

    def story(self):
        """All that was run, and the log, for a person who must find out."""
        told = [str(result) for result in self.results]
        if os.path.exists(self.log):
            told += ["log:", *self.log_lines()]
        return "\n".join(told)

    def left_behind(self):
        """Files and processes that nobody asked for."""
        found = [f"process {pid}: {command}"
                 for pid, command in process.carrying(self.directory).items()]
        for place in (self.home, self.tmp, self.work):
            for parent, _, names in os.walk(place):
                paths = [os.path.realpath(os.path.join(parent, name)) for name in names]
                found += [f"file {path}" for path in paths if path not in self.own_files]
        return found

    def clean(self):
        for pid in process.carrying(self.directory):
            os.kill(pid, signal.SIGKILL)
        shutil.rmtree(self.directory, ignore_errors=True)
