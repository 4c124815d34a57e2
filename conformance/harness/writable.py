"""A token that a client's story begins with: nobody has initialised it."""

import os

from . import tpm


class Writable:
    """The sandbox of a client, its module showing one token that may be written."""

    LABEL, SO_PIN, PIN = "story", "87654321", "1234"

    def __init__(self, client, module, its_tpm, fixtures, lines=""):
        self.client, self.module, self.fixtures = client, module, fixtures
        client.serving = module.writable(client.directory, its_tpm, lines)

    @property
    def files(self):
        """The token directory, once it is initialised; Signet's own."""
        return os.path.join(self.client.serving["TOKEN_DISK"], "token")

    def uri(self, *parts, pin=True):
        """A PKCS#11 URI of the token, or of what the parts name on it."""
        path = ";".join([f"token={self.LABEL}", *parts])
        return f"pkcs11:{path}?pin-value={self.PIN}" if pin else f"pkcs11:{path}"

    def pkcs11_tool(self, *words, **how):
        return self.client.run("pkcs11-tool", "--module", self.module.path, *words, **how)

    def tool(self, *words, **how):
        """pkcs11-tool, with the user logged in."""
        return self.pkcs11_tool("--token-label", self.LABEL, "--login", "--pin", self.PIN, *words,
                                **how)

    def initialise(self):
        """By pkcs11-tool, for stories that begin later."""
        self.pkcs11_tool("--init-token", "--slot-index", 0, "--label", self.LABEL,
                         "--so-pin", self.SO_PIN)
        self.pkcs11_tool("--token-label", self.LABEL, "--init-pin", "--login", "--login-type", "so",
                         "--so-pin", self.SO_PIN, "--pin", self.PIN, "--new-pin", self.PIN)
        return self

    def generate(self, label="key", kind="EC:secp256r1"):
        self.tool("--keypairgen", "--key-type", kind, "--label", label, "--id",
                  label.encode().hex())

    def public_key(self, label="key"):
        """A PEM file of it, as p11tool writes it."""
        pem = self.client.run("p11tool", "--provider", self.module.path, "--batch", "--login",
                              "--export-pubkey",
                              self.uri(f"object={label}", "type=private")).out
        return self.client.write(f"{label}.pub", pem)

    # What OpenSSL does with a key of the token, through libp11's engine.

    def openssl(self, command, *words, **how):
        return self.client.run("openssl", command, *words, **how)

    def engine(self, label):
        return ["-engine", "pkcs11", "-keyform", "engine", "-key",
                self.uri(f"object={label}", "type=private")]

    def request(self, label="key", name="localhost"):
        """A certificate request, made through the engine."""
        conf = self.client.write("req.cnf", "[req]\ndistinguished_name = dn\n[dn]\n")
        self.openssl("req", "-new", "-engine", "pkcs11", "-keyform", "engine", "-key",
                     self.uri(f"object={label}", "type=private"), "-subj", f"/CN={name}",
                     "-config", conf, "-out", self.client.file(f"{label}.csr"))
        return self.client.file(f"{label}.csr")

    def certify(self, request, name="localhost", inform="PEM"):
        """The tests' authority answers a request: a PEM file."""
        client = self.client
        extensions = client.write("ext", f"subjectAltName = DNS:{name}\n"
                                  "keyUsage = digitalSignature, keyEncipherment\n")
        certificate = f"{request}.crt"
        client.tool("openssl", "x509", "-req", "-inform", inform, "-in", request,
                    "-CA", f"{self.fixtures}/ca.crt", "-CAkey", f"{self.fixtures}/ca.key",
                    "-set_serial", 4711, "-days", 30, "-extfile", extensions, "-out", certificate)
        return certificate

    def handshake(self, label, certificate, version="tls1_3"):
        """A server has the key of the token; its client verifies it."""
        port = tpm.free_port()
        with self.client.server("openssl", "s_server", *self.engine(label), "-cert", certificate,
                                "-accept", f"127.0.0.1:{port}", "-www", f"-{version}", port=port):
            self.verify_server(port, version)

    def verify_server(self, port, version="tls1_3"):
        said = self.client.tool(
            "openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-CAfile",
            f"{self.fixtures}/ca.crt", "-verify_return_error", "-verify_hostname", "localhost",
            "-servername", "localhost", f"-{version}", "-ign_eof", stdin=b"GET / HTTP/1.0\r\n\r\n")
        assert "Verify return code: 0 (ok)" in said.out
        assert "HTTP/1.0 200" in said.out


def nothing_left(its_tpm):
    """What clients left loaded in the TPM."""
    return its_tpm.left_behind() if hasattr(its_tpm, "left_behind") else []
