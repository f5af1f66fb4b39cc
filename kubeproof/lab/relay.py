"""Forwards ports of the host's loopback into the lab: `python -m kubeproof.lab.relay FD=HOST:PORT ...`.

It runs inside the lab's network namespace, with listening sockets that were opened outside. A socket stays in the
namespace that opened it, so connections come in from the host and go out into the lab.
"""

import asyncio
import socket
import sys

CHUNK = 1 << 16


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(CHUNK):
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        pass  # either end may close at any time; the close below passes it on
    finally:
        writer.close()


async def _serve(listener: socket.socket, host: str, port: int) -> None:
    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection(host, port)
        except OSError:
            writer.close()
            return
        await asyncio.gather(_pump(reader, far_writer), _pump(far_reader, writer))

    server = await asyncio.start_server(connect, sock=listener)
    await server.serve_forever()


async def _serve_all(arguments: list[str]) -> None:
    routes = []
    for argument in arguments:
        descriptor, _, target = argument.partition("=")
        host, _, port = target.rpartition(":")
        routes.append(_serve(socket.socket(fileno=int(descriptor)), host, int(port)))
    await asyncio.gather(*routes)


if __name__ == "__main__":
    asyncio.run(_serve_all(sys.argv[1:]))
