#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""asyncio as an echo server for bench_io: rivals/asyncio-echo. Prints its port.

    asyncio-echo streams|protocol
"""
import asyncio
import sys

BUFFER = 1024
BACKLOG = 511


class Echo(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.transport.write(data)


async def echo(reader, writer):
    try:
        while data := await reader.read(BUFFER):
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        pass
    writer.close()


async def main():
    if sys.argv[1:] == ["protocol"]:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(Echo, "127.0.0.1", 0, backlog=BACKLOG)
    else:
        server = await asyncio.start_server(echo, "127.0.0.1", 0, backlog=BACKLOG)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


asyncio.run(main())
