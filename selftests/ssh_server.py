"""A real ssh server on loopback that runs commands on this machine, without sudo."""

import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

import paramiko


class Server(paramiko.ServerInterface):
    """Accepts every key and runs the requested command, or the command `instead`.

    `at_the_door` holds connections back until that many wait.
    """

    def __init__(self) -> None:
        self.transports: list[paramiko.Transport] = []
        self.at_the_door = threading.Barrier(1)
        self.instead = ""

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:  # noqa: ARG002, D102 # paramiko's
        self.at_the_door.wait()
        return paramiko.common.AUTH_SUCCESSFUL

    def get_allowed_auths(self, username: str) -> str:  # noqa: ARG002, D102
        return "publickey"

    def check_channel_request(self, kind: str, chanid: int) -> int:  # noqa: ARG002, D102
        return paramiko.common.OPEN_SUCCEEDED

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:  # noqa: D102
        line = self.instead or command.decode().removeprefix("sudo ")
        threading.Thread(target=_run, args=(channel, line), daemon=True).start()
        return True

    def cut(self) -> None:
        """Close every connection, as a reboot does."""
        while self.transports:
            self.transports.pop().close()


def _run(channel: paramiko.Channel, command: str) -> None:
    pipe = subprocess.PIPE
    process = subprocess.Popen(["/bin/sh", "-c", command], stdin=pipe, stdout=pipe, stderr=pipe)
    assert process.stdin
    assert process.stdout
    assert process.stderr
    pumps = [
        threading.Thread(target=_pump, args=(process.stdout, channel.sendall)),
        threading.Thread(target=_pump, args=(process.stderr, channel.sendall_stderr)),
    ]
    for pump in pumps:
        pump.start()

    def feed() -> None:
        with suppress(OSError), process.stdin as stdin:  # type: ignore[union-attr] # asserted above
            while data := channel.recv(1 << 16):
                stdin.write(data)
                stdin.flush()

    threading.Thread(target=feed, daemon=True).start()
    process.wait()
    for pump in pumps:
        pump.join()
    with suppress(OSError, EOFError):  # the connection is closed
        channel.send_exit_status(process.returncode)
        channel.close()


def _pump(source: IO[bytes], send: Callable[[bytes], object]) -> None:
    with suppress(OSError):
        while data := source.read1(1 << 16):  # type: ignore[attr-defined] # Popen's pipes have read1
            send(data)


@contextmanager
def served(folder: Path) -> Iterator[tuple[Server, Path]]:
    """Serve, and yield the server and an ssh config that leads every *-k8s host to it."""
    key = folder / "key"
    paramiko.ECDSAKey.generate().write_private_key_file(str(key))
    listener, server = socket.create_server(("127.0.0.1", 0)), Server()
    config = folder / "ssh_config"
    config.write_text(
        f"Host *-k8s\n  HostName 127.0.0.1\n  Port {listener.getsockname()[1]}\n  User vagrant\n"
        f"  IdentityFile {key}\n  StrictHostKeyChecking no\n"
    )

    def accept() -> None:
        with suppress(OSError):  # the listener is closed
            while True:
                transport = paramiko.Transport(listener.accept()[0])
                transport.add_server_key(paramiko.ECDSAKey.from_private_key_file(str(key)))
                server.transports.append(transport)
                with suppress(paramiko.SSHException, EOFError):
                    transport.start_server(server=server)

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield server, config
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        server.cut()
