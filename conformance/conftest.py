"""Options and fixtures of the conformance tests; see the folder harness/."""

import os
import shutil
import subprocess
import sys
import tempfile

import pytest

sys.path.insert(0, os.path.dirname(__file__))
from harness import keys, modules, process, sanitize, tpm  # noqa: E402
from harness.apache import Apache  # noqa: E402
from harness.sandbox import Sandbox  # noqa: E402
from harness.writable import Writable, nothing_left  # noqa: E402

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def pytest_addoption(parser):
    group = parser.getgroup("signet")
    group.addoption("--tpm", choices=["embedded", "swtpm", "device"], default="embedded",
                    help="the kind of TPM that holds the keys")
    group.addoption("--build", default="build", help="the folder of the build under test")
    group.addoption("--module", help="another module than the one built")
    group.addoption("--prepare", help="the script that puts keys into a foreign module; "
                    "see conformance/prepare/softhsm2")
    group.addoption("--keep", action="store_true", help="keep the temporary folder, and name it")


def is_foreign(config):
    return bool(config.getoption("--prepare"))


def pytest_generate_tests(metafunc):
    if "key" not in metafunc.fixturenames:
        return
    foreign = is_foreign(metafunc.config)
    there = keys.available(metafunc.config.getoption("--tpm"), foreign)
    marker = metafunc.definition.get_closest_marker("keys")
    names = marker.args if marker else keys.MAIN
    if metafunc.definition.get_closest_marker("every_key"):
        names = list(there)
    elif foreign:
        names = keys.in_software(names)
    chosen = [there[name] for name in names if name in there]
    if metafunc.definition.get_closest_marker("wrong_pin"):
        chosen = harmless(chosen, there, metafunc.config.getoption("--tpm"))
    metafunc.parametrize("key", chosen, ids=[key.name for key in chosen])


def harmless(chosen, there, tpm_kind):
    """A machine's own TPM may not come near its lockout."""
    if tpm_kind != "device":
        return chosen
    return [key for key in chosen if key.forgives] or [there["ec-noda"]]


def pytest_collection_modifyitems(config, items):
    if not is_foreign(config):
        return
    mine = [item for item in items if item.get_closest_marker("signet")]
    config.hook.pytest_deselected(items=mine)
    items[:] = [item for item in items if item not in mine]


@pytest.fixture(scope="session")
def build(request):
    path = os.path.join(ROOT, request.config.getoption("--build"))
    return path


@pytest.fixture(scope="session")
def place(request):
    """The session's temporary folder: short, as sockets want it, and passable for servers."""
    path = os.path.realpath(tempfile.mkdtemp(prefix="signet-"))
    os.chmod(path, 0o711)
    sanitize.prepare(path)
    yield path
    left = process.carrying(path)
    if request.config.getoption("--keep"):
        print(f"kept: {path}")
    else:
        shutil.rmtree(path, ignore_errors=True)
    assert not left, f"processes left behind: {left}"


@pytest.fixture(scope="session")
def tpm_kind(request):
    return "none" if is_foreign(request.config) else request.config.getoption("--tpm")


@pytest.fixture(scope="session")
def the_tpm(tpm_kind, build, place):
    if tpm_kind == "none":
        yield None
        return
    started = tpm.start(tpm_kind, build, os.path.join(place, "tpm"))
    yield started
    started.stop()


@pytest.fixture(scope="session")
def fixtures(tpm_kind, the_tpm, build, place):
    """The folder that fixtures/make filled."""
    path = os.path.join(place, "fixtures")
    if tpm_kind == "none":
        make_fixtures(path, "none")
        return path
    another = None
    if tpm_kind != "device":
        another = tpm.start(tpm_kind, build, os.path.join(place, "another-tpm"))
    make_fixtures(path, the_tpm.tcti, the_tpm.word, another.tcti if another else "",
                  transient=tpm_kind == "device")
    if another:
        another.stop()
    return path


def make_fixtures(path, *arguments, transient=False):
    env = {**os.environ, **sanitize.environment()}
    if transient:
        env["TRANSIENT"] = "1"
    done = subprocess.run([os.path.join(ROOT, "fixtures", "make"), path, *arguments], env=env,
                          capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if done.returncode or done.stderr:
        said = "; ".join((done.stdout + done.stderr).splitlines())
        pytest.exit(f"the fixtures could not be made: {said}", returncode=1)


@pytest.fixture(scope="session")
def module(request, fixtures, the_tpm, build, place):
    path = request.config.getoption("--module") or os.path.join(build, "signet-pkcs11.so")
    path = os.path.abspath(path)
    if not os.path.exists(path):
        pytest.exit(f"there is no module {path}: run make first", returncode=1)
    if is_foreign(request.config):
        script = os.path.abspath(request.config.getoption("--prepare"))
        directory = os.path.join(place, "module")
        os.makedirs(directory)
        return modules.Foreign(path, fixtures, script, directory)
    return modules.Signet(path, fixtures, the_tpm)


@pytest.fixture
def client(module, place, the_tpm, request):
    """A sandbox for the test's clients; nothing may be left in it."""
    directory = tempfile.mkdtemp(prefix="t", dir=place)
    os.chmod(directory, 0o711)
    sandbox = Sandbox(directory, module)
    yield sandbox
    left = sandbox.left_behind()
    if hasattr(the_tpm, "left_behind"):
        loaded = the_tpm.left_behind()
        left += [] if request.node.get_closest_marker("killed") else loaded
    if not request.config.getoption("--keep"):
        sandbox.clean()
    assert not left, "left behind:\n" + "\n".join(left)


@pytest.fixture(scope="module")
def spare_tpm(request, tpm_kind, build, place):
    """A TPM apart, whose NV tokens may fill."""
    if tpm_kind == "none":
        yield None
        return
    if tpm_kind == "device":
        pytest.skip("tokens leave indexes in the NV, and a machine's own is not for tests")
    started = tpm.start(tpm_kind, build, os.path.join(place, request.module.__name__))
    yield started
    started.stop()


@pytest.fixture
def make_token(client, module, spare_tpm, fixtures, request):
    """make_token(lines): a token that nobody has initialised, in the client's sandbox."""
    yield lambda lines="": Writable(client, module, spare_tpm, fixtures, lines)
    left = nothing_left(spare_tpm)
    assert request.node.get_closest_marker("killed") or not left, left


@pytest.fixture
def token(make_token):
    return make_token()


@pytest.fixture(scope="session")
def apache(fixtures, place):
    """An Apache on loopback that wants a client certificate, over TLS 1.2 and 1.3."""
    server = Apache(os.path.join(place, "apache"), fixtures)
    server.start()
    yield server
    server.stop()
