"""A client that makes a few calls of PKCS#11, some of them in another thread.

As a program: calls.py MODULE WORD... prints a line for each call; the words are those
of `Client`, and `WORD&` begins a call that `join` waits for.
"""

import ctypes
import json
import os
import subprocess
import sys
import threading
import time

NAMES = {0x00: "OK", 0x06: "FUNCTION_FAILED", 0x07: "ARGUMENTS_BAD", 0x50: "FUNCTION_CANCELED",
         0xA0: "PIN_INCORRECT", 0xB3: "SESSION_HANDLE_INVALID", 0x100: "USER_ALREADY_LOGGED_IN"}
CKF_SERIAL_SESSION, CKU_USER = 4, 1


class Calls:
    """Runs this file in a sandbox."""

    def __init__(self, sandbox, module):
        self.sandbox, self.module, self.told = sandbox, module, []
        self.state = None

    def say(self, *words):
        out = self.sandbox.run("python3", "-B", "-I", os.path.abspath(__file__),
                               self.module.path, *words, limit=40).out
        self.told = [json.loads(line) for line in out.splitlines()]
        states = [line["state"] for line in self.told if "state" in line]
        self.state = states[-1] if states else None

    def results(self):
        """What the calls answered, without CKR_, in the order in which they ended."""
        return [line["result"] for line in self.told]


class Client:
    def __init__(self, path):
        self.library = ctypes.CDLL(path)
        self.slot = ctypes.c_ulong()
        self.handle = ctypes.c_ulong()
        self.thread = None
        assert self.library.C_Initialize(None) == 0

    def tell(self, result, **more):
        print(json.dumps({"result": NAMES.get(result, hex(result)), **more}), flush=True)

    def do_slot(self):
        slots, count = (ctypes.c_ulong * 8)(), ctypes.c_ulong(8)
        self.tell(self.library.C_GetSlotList(1, slots, ctypes.byref(count)))
        self.slot = ctypes.c_ulong(slots[0])

    def do_session(self):
        self.tell(self.library.C_OpenSession(self.slot, ctypes.c_ulong(CKF_SERIAL_SESSION), None,
                                             None, ctypes.byref(self.handle)))

    def do_login(self):
        self.tell(self.library.C_Login(self.handle, ctypes.c_ulong(CKU_USER), None,
                                       ctypes.c_ulong(0)))

    def do_info(self):
        self.tell(self.library.C_GetTokenInfo(self.slot, ctypes.create_string_buffer(512)))

    def do_session_info(self):
        info = (ctypes.c_ulong * 4)()
        result = self.library.C_GetSessionInfo(self.handle, info)
        self.tell(result, state=info[1])

    def do_close(self):
        self.tell(self.library.C_CloseSession(self.handle))

    def do_wait(self, path):
        while not os.path.exists(path):
            time.sleep(0.01)

    def do_touch(self, path):
        with open(path, "wb"):
            pass

    def do_run(self, *command):
        """Another program, meanwhile."""
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)

    def do_join(self):
        self.thread.join()

    def run(self, word):
        name, *arguments = word.rstrip("&").split(" ")
        call = getattr(self, "do_" + name.replace("-", "_"))
        if word.endswith("&"):
            self.thread = threading.Thread(target=call, args=arguments)
            self.thread.start()
        else:
            call(*arguments)


def main():
    client = Client(sys.argv[1])
    for word in sys.argv[2:]:
        client.run(word)
    client.library.C_Finalize(None)


if __name__ == "__main__":
    main()
