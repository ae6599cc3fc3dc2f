"""Streams of asyncio: a server that answers with the digest of what it gets and the octets again, a client with many
connections at once.

    asyncio_peer.py server ADDRESS PORT
    asyncio_peer.py client ADDRESS PORT CONNECTIONS BYTES
"""

import asyncio
import hashlib
import os
import sys


async def answer(reader, writer):
    size = int(await reader.readline() or 0)
    digest = hashlib.sha256()
    left = size
    while left > 0 and (block := await reader.read(min(left, 1 << 16))):
        digest.update(block)
        writer.write(block)
        await writer.drain()
        left -= len(block)
    writer.write(digest.digest())
    await writer.drain()
    writer.close()


async def serve(address, port):
    server = await asyncio.start_server(answer, address, port)
    async with server:
        await server.serve_forever()


async def talk(address, port, size):
    reader, writer = await asyncio.open_connection(address, port)
    data = os.urandom(size)

    async def write():
        writer.write(b"%d\n" % size + data)
        await writer.drain()
    writing = asyncio.create_task(write())
    back = await reader.readexactly(size + 32)
    await writing
    assert back == data + hashlib.sha256(data).digest()
    assert await reader.read() == b""
    writer.close()
    await writer.wait_closed()


async def all_at_once(address, port, connections, size):
    await asyncio.gather(*(talk(address, port, size) for _ in range(connections)))
    print("right")


if __name__ == "__main__":
    role, address, port, *rest = sys.argv[1:]
    asyncio.run(serve(address, int(port)) if role == "server" else all_at_once(address, int(port), *map(int, rest)))
