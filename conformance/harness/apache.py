"""A real Apache on loopback, as an unprivileged user, with a folder of its own."""

import os
import shutil
import subprocess

from . import clients, nobody, process, tpm

MODULES = ("mpm_event", "authz_core", "ssl", "headers")
CONFIGURATION = """\
ServerRoot {directory}
ServerName localhost
PidFile {directory}/pid
DefaultRuntimeDir {directory}
ErrorLog {directory}/error.log
LogLevel info
Mutex pthread
{load}
DocumentRoot {directory}/www
<Directory {directory}/www>
 Require all granted
</Directory>
# One worker process: a TPM behind a socket serves one connection at a time.
StartServers 1
ServerLimit 1
ThreadsPerChild 8
MaxRequestWorkers 8
SSLSessionCache none
{engine}
SSLCertificateFile "{certificate}"
SSLCertificateKeyFile "{key}"
SSLCACertificateFile {directory}/ca.crt
SSLVerifyClient {verify}
SSLVerifyDepth 3
Header always set X-Client "%{{SSL_CLIENT_S_DN_CN}}s"
Header always set X-Protocol "%{{SSL_PROTOCOL}}s"
{hosts}
"""
HOST = """\
Listen 127.0.0.1:{port}
<VirtualHost 127.0.0.1:{port}>
 SSLEngine on
 SSLProtocol {protocol}
</VirtualHost>
"""
PROTOCOLS = {"1.2": "TLSv1.2", "1.3": "TLSv1.3"}
PAGE = "The client is known.\n"


def compiled_in(program):
    said = subprocess.run([program, "-l"], capture_output=True, text=True, check=False).stdout
    return {line.strip()[4:-2] for line in said.splitlines() if line.strip().startswith("mod_")}


def load_lines(program):
    here = clients.need_file("apache2-bin", "/usr/lib/apache2/modules", "/usr/lib64/httpd/modules",
                             "/etc/httpd/modules", "/usr/lib/httpd/modules")
    names = [*MODULES, "unixd"]
    already = compiled_in(program)
    return "\n".join(f"LoadModule {name}_module {here}/mod_{name}.so" for name in names
                     if name not in already and os.path.exists(f"{here}/mod_{name}.so"))


class Apache:
    def __init__(self, directory, fixtures, key="", certificate="", engine="", env=(),
                 verify="require"):
        """key and certificate: file names, or URIs of the module that env configures."""
        self.directory = directory
        self.key = key or os.path.join(directory, "server.key")
        self.certificate = certificate or os.path.join(directory, "server.crt")
        self.engine, self.env, self.verify = engine, dict(env), verify
        self.child = None
        self.ports = {}
        os.makedirs(os.path.join(directory, "www"))
        for name in ("ca.crt", "server.crt", "server.key"):
            shutil.copy(os.path.join(fixtures, name), directory)
        with open(os.path.join(directory, "www", "index.html"), "w", encoding="utf-8") as page:
            page.write(PAGE)

    def start(self):
        program = clients.need("apache2")
        for _ in range(5):
            self.write_configuration(program)
            nobody.give_away(self.directory)
            self.child = self.launch(program)
            if process.answers(self.child, *self.ports.values()):
                return
            self.stop()
        raise RuntimeError(f"Apache does not start:\n{self.errors()}")

    def write_configuration(self, program):
        self.ports = {version: tpm.free_port() for version in PROTOCOLS}
        hosts = "".join(HOST.format(port=port, protocol=PROTOCOLS[version])
                        for version, port in self.ports.items())
        text = CONFIGURATION.format(
            directory=self.directory, load=load_lines(program), hosts=hosts,
            engine=self.engine, certificate=self.certificate, key=self.key, verify=self.verify)
        with open(os.path.join(self.directory, "httpd.conf"), "w", encoding="utf-8") as file:
            file.write(text)

    def launch(self, program):
        env = {"PATH": clients.PATH, "HOME": self.directory, "LANG": "C.UTF-8",
               "TMPDIR": self.directory, "SIGNET_TEST_SANDBOX": self.directory, **self.env}
        with open(os.path.join(self.directory, "output"), "wb") as output:
            return subprocess.Popen(
                [*nobody.drop_root(), program, "-d", self.directory, "-f", f"{self.directory}/httpd.conf",
                 "-DFOREGROUND"], env=env, cwd=self.directory, start_new_session=True,
                stdin=subprocess.DEVNULL, stdout=output, stderr=output)

    def stop(self):
        if self.child and self.child.poll() is None:
            self.child.terminate()
            try:
                self.child.wait(10)
            except subprocess.TimeoutExpired:
                pass
        if self.child:
            process.end_session(self.child)
            self.child.wait()

    def url(self, version):
        return f"https://localhost:{self.ports[version]}/index.html"

    def errors(self):
        """The end of what it said."""
        told = []
        for name in ("output", "error.log"):
            path = os.path.join(self.directory, name)
            if os.path.exists(path):
                with open(path, encoding="utf-8", errors="replace") as file:
                    told += file.readlines()[-20:]
        return "".join(told) + f"(status {self.child.returncode})"
