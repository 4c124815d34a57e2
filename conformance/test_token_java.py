"""The life of a key by Java: keytool makes and certifies it through SunPKCS11, a program
signs with it, serves TLS with it and presents it."""

import re

import pytest

from harness import clients, tpm
from harness.apache import PAGE

PROGRAM = """\
import java.io.*;
import java.net.*;
import java.nio.charset.StandardCharsets;
import java.security.*;
import java.security.cert.X509Certificate;
import javax.net.ssl.*;

/** Use: sign | serve PORT | get PORT CA, with the configuration and PIN in the properties. */
public class Client {
    static Provider provider;
    static KeyStore store;

    public static void main(String[] words) throws Exception {
        char[] pin = System.getProperty("pin").toCharArray();
        provider = Security.getProvider("SunPKCS11").configure(System.getProperty("conf"));
        Security.addProvider(provider);
        store = KeyStore.getInstance("PKCS11", provider);
        store.load(null, pin);
        switch (words[0]) {
        case "sign": sign(words[1]); break;
        case "serve": serve(context(pin, null), Integer.parseInt(words[1])); break;
        case "get": get(context(pin, words[2]), Integer.parseInt(words[1])); break;
        }
    }

    static void sign(String algorithm) throws Exception {
        Signature signature = Signature.getInstance(algorithm, provider);
        signature.initSign((PrivateKey) store.getKey("key", null));
        signature.update("signed by Java".getBytes());
        byte[] bytes = signature.sign();
        Signature verifier = Signature.getInstance(algorithm);
        verifier.initVerify(store.getCertificate("key").getPublicKey());
        verifier.update("signed by Java".getBytes());
        System.out.println(algorithm + " " + verifier.verify(bytes));
    }

    static SSLContext context(char[] pin, String authority) throws Exception {
        KeyManagerFactory keys = KeyManagerFactory.getInstance("PKIX");
        keys.init(store, pin);
        TrustManager[] trust = null;
        if (authority != null) {
            KeyStore anchors = KeyStore.getInstance("PKCS12");
            anchors.load(null, null);
            anchors.setCertificateEntry("ca", java.security.cert.CertificateFactory
                .getInstance("X.509").generateCertificate(new FileInputStream(authority)));
            TrustManagerFactory factory = TrustManagerFactory.getInstance("PKIX");
            factory.init(anchors);
            trust = factory.getTrustManagers();
        }
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(keys.getKeyManagers(), trust, null);
        return context;
    }

    /* Serves until it is killed; a connection that is only tried is no matter. */
    static void serve(SSLContext context, int port) throws Exception {
        ServerSocket server = context.getServerSocketFactory()
            .createServerSocket(port, 5, InetAddress.getByName("127.0.0.1"));
        while (true) {
            try (Socket socket = server.accept()) {
                socket.getInputStream().read();
                socket.getOutputStream().write(
                    "HTTP/1.0 200 OK\\r\\n\\r\\nserved by Java\\n".getBytes());
            } catch (IOException tried) {
                System.err.println(tried.getMessage());
            }
        }
    }

    static void get(SSLContext context, int port) throws Exception {
        HttpsURLConnection to = (HttpsURLConnection)
            new URL("https://localhost:" + port + "/index.html").openConnection();
        to.setSSLSocketFactory(context.getSocketFactory());
        System.out.println("X-Client: " + to.getHeaderField("X-Client"));
        System.out.print(new String(to.getInputStream().readAllBytes(), StandardCharsets.UTF_8));
    }
}
"""

KINDS = {"rsa": ["-keyalg", "RSA", "-keysize", "2048", "-sigalg", "SHA256withRSA"],
         "ec": ["-keyalg", "EC", "-groupname", "secp256r1", "-sigalg", "SHA256withECDSA"]}
ALGORITHMS = {"rsa": ["SHA256withRSA", "SHA512withRSA"], "ec": ["SHA256withECDSA"]}
# So that nothing is left in /tmp, and no machine is filled with threads.
QUIET = ["-XX:-UsePerfData", "-XX:TieredStopAtLevel=1"]


class Java:
    def __init__(self, token):
        self.token, self.client = token, token.client
        clients.need("javac")
        # Several slots of a foreign module: the one that was initialised comes first.
        self.conf = self.client.write("java.cfg", f"name = story\nlibrary = {token.module.path}\n"
                                      "slotListIndex = 0\n")
        self.classes = self.client.make("classes")

    def keytool(self, *words, **how):
        options = [f"-J{option}" for option in QUIET]
        return self.client.run(
            "keytool", *options, *words, "-keystore", "NONE", "-storetype", "PKCS11",
            "-providerClass", "sun.security.pkcs11.SunPKCS11", "-providerArg", self.conf,
            "-storepass", self.token.PIN, "-noprompt", limit=120, **how)

    def compile(self):
        self.client.tool("javac", *[f"-J{option}" for option in QUIET], "-d", self.classes,
                         self.client.write("Client.java", PROGRAM), limit=120)
        return self

    def words(self):
        return [*QUIET, "-cp", self.classes, f"-Dconf={self.conf}", f"-Dpin={self.token.PIN}",
                "Client"]

    def run(self, *words, **how):
        return self.client.run("java", *self.words(), *words, limit=120, **how)

    def certify(self):
        """keytool's request, answered by the tests' authority, is put to the key."""
        self.keytool("-certreq", "-alias", "key", "-file", self.client.file("csr"))
        certificate = self.token.certify(self.client.file("csr"))
        with open(f"{self.token.fixtures}/ca.crt", "rb") as ca:
            chain = self.client.read("csr.crt") + ca.read()
        assert certificate
        self.keytool("-importcert", "-alias", "key", "-file", self.client.write("chain", chain))


@pytest.fixture
def java(token):
    return Java(token.initialise())


@pytest.fixture
def made(java):
    def make(kind):
        java.keytool("-genkeypair", "-alias", "key", *KINDS[kind], "-dname", "CN=localhost",
                     "-ext", "san=dns:localhost")
        return java
    return make


@pytest.mark.parametrize("kind", KINDS)
def test_keytool_makes_a_key_and_lists_it(made, kind):
    listed = made(kind).keytool("-list").out
    assert re.search(r"key,.*PrivateKeyEntry", listed)


@pytest.mark.parametrize("kind", KINDS)
def test_keytool_certifies_a_key_and_java_signs_with_it(made, kind):
    java = made(kind).compile()
    java.certify()
    for algorithm in ALGORITHMS[kind]:
        assert f"{algorithm} true" in java.run("sign", algorithm).out


@pytest.mark.killed
@pytest.mark.parametrize("kind", KINDS)
def test_java_serves_tls_with_a_key_of_keytool(client, made, kind):
    java = made(kind).compile()
    java.certify()
    port = tpm.free_port()
    with client.server("java", *java.words(), "serve", port, port=port):
        page = client.tool("curl", "-sS", "--cacert", f"{java.token.fixtures}/ca.crt",
                           f"https://localhost:{port}/").out
    assert "served by Java" in page


@pytest.mark.parametrize("kind", KINDS)
def test_java_presents_a_key_of_keytool(apache, made, kind):
    java = made(kind).compile()
    java.certify()
    said = java.run("get", apache.ports["1.2"], f"{java.token.fixtures}/ca.crt").out
    assert PAGE in said and "X-Client: localhost" in said


def test_keytool_deletes_a_key(made):
    java = made("ec")
    java.keytool("-delete", "-alias", "key")
    assert "PrivateKeyEntry" not in java.keytool("-list").out
    assert "Private Key" not in java.token.tool("--list-objects").out


def test_keytool_makes_a_secret_key(java):
    java.keytool("-genseckey", "-alias", "secret", "-keyalg", "AES", "-keysize", "256")
    assert "SecretKeyEntry" in java.keytool("-list").out
