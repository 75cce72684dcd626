"""A client on Debian's python3-websockets: registers, and delivers files as lib/protocol says.

Usage: foreign_client.py URL CLIENT_ID plain|odd SIZE

"odd" is odd but lawful: every message in tiny fragments, with pings in between. Every file that
is asked for has SIZE bytes, and their MD5 is the first line that is printed.
"""

import asyncio
import hashlib
import json
import struct
import sys
import zlib

import websockets

url, client_id, how, size = *sys.argv[1:4], int(sys.argv[4])
content = (b"The quick brown fox jumps over the lazy dog.\n" * (size // 45 + 1))[:size]
md5 = hashlib.md5(content).hexdigest()
identity = dict(size=size, mtime_ns="1", ctime_ns="2", inode="3", device="4")


async def send(socket, message):
    if how == "plain":
        return await socket.send(message)

    async def fragments():
        step = 7 if isinstance(message, str) else 1000
        for at in range(0, len(message), step):
            if at % (5 * step) == 0:
                await socket.ping()
            yield message[at : at + step]

    await socket.send(fragments())


def frame(request, offset, payload):
    stream, epoch, length = request["stream"], request["epoch"], len(payload)
    head = struct.pack(">BBIIQIII", 1, 0, stream, epoch, offset, length, length, zlib.crc32(payload))
    return head + struct.pack(">I", zlib.crc32(head)) + payload


async def next_message(socket):
    return json.loads(await socket.recv())


async def deliver(socket, request):
    async def say(kind, **fields):
        address = dict(stream=request["stream"], epoch=request["epoch"])
        await send(socket, json.dumps(dict(type=kind, **address, **fields)))

    await say("file_start", identity=identity, total_size=size, offset=0)
    sent, granted = 0, request["max_offset"]
    while sent < size:
        while granted <= sent:
            granted = (await next_message(socket))["max_offset"]
        payload = content[sent : min(sent + request["chunk_size"], granted)]
        await send(socket, frame(request, sent, payload))
        sent += len(payload)
    await say("file_complete", identity=identity, total_size=size, md5=md5)
    while (await next_message(socket))["type"] != "done":
        pass


async def main():
    # permessage-deflate is offered by default.
    async with websockets.connect(url, subprotocols=["fds.v1"]) as socket:
        register = dict(type="register", client_id=client_id, key="the-key-of-a-foreigner")
        about = dict(version="0", hostname="", platform="python", chunk_size=65536)
        await send(socket, json.dumps({**register, **about}))
        assert (await next_message(socket))["type"] == "registered"
        print(md5, flush=True)
        while True:
            message = await next_message(socket)
            if message["type"] == "download_request":
                await deliver(socket, message)


asyncio.run(main())
