# A command of the folder beside which `socket` lies: has the server run it, and ends as it ends.
# It imports only what the interpreter has built in: its own start is what a test waits for.
import _signal as signal  # type: ignore[import-not-found]
import _socket
import array
import os
import sys

here, name = os.path.split(os.path.abspath(sys.argv[0]))
environment = [f"{key}={value}" for key, value in os.environ.items()]
asked = [name, os.getcwd(), str(len(environment)), *environment, *sys.argv[1:]]
text = "\0".join(asked).encode("utf-8", "surrogateescape")
server = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
server.connect(f"{here}/socket")
descriptors = array.array("i", (0, 1, 2))
length = len(text).to_bytes(4, "big")
server.sendmsg([length], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, descriptors)])
server.sendall(text)


def number() -> int:
    told = b""
    while not told.endswith(b"\n"):
        piece = server.recv(1)
        if not piece:
            sys.exit("the server of the warm commands has gone")
        told += piece
    return int(told)


child = number()
for one in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(one, lambda one, _: os.kill(child, one))
code = number()
if code < 0:
    signal.signal(-code, signal.SIG_DFL)
    os.kill(os.getpid(), -code)
sys.exit(code)
