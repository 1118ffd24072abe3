"""An embedding server that does no work: what is timed against it is the client.

    python bench/zero_cost_ollama.py [--delay-ms MS] [--dimension N]    prints its address, serves until killed

Vectors are cut from a text made once. With a delay it spends so much on each text, one request at a time,
as a real model does. GET /stats tells what was asked: requests, texts, and the longest request in seconds.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random

import orjson


class Server(asyncio.Protocol):
    """Speaks HTTP/1.1 with Content-Length, as all clients here do."""

    vector = b""
    delay_s = 0.0
    stats: dict[str, float] = {}  # noqa: RUF012
    turn = asyncio.Lock()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.buffer = b""

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while True:
            head, separator, rest = self.buffer.partition(b"\r\n\r\n")
            if not separator:
                return
            lengths = [
                line.split(b":")[1] for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")
            ]
            length = int(lengths[0]) if lengths else 0
            if len(rest) < length:
                return
            self.buffer = rest[length:]
            path = head.split(b" ", 2)[1].decode()
            asyncio.get_running_loop().create_task(self.answer(path, rest[:length]))

    async def answer(self, path: str, body: bytes) -> None:
        payload = await self.embedded(orjson.loads(body)) if path == "/api/embed" else self.other(path)
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: %d\r\n\r\n"
        if not self.transport.is_closing():
            self.transport.write(head % len(payload) + payload)  # type: ignore[attr-defined]

    async def embedded(self, body: dict[str, object]) -> bytes:
        texts = body["input"]
        count = len(texts) if isinstance(texts, list) else 1
        started = asyncio.get_running_loop().time()
        if self.delay_s:
            async with self.turn:
                await asyncio.sleep(self.delay_s * count)
        seconds = asyncio.get_running_loop().time() - started
        stats = self.stats
        stats["requests"] += 1
        stats["texts"] += count
        stats["longest_s"] = max(stats["longest_s"], seconds)
        return b'{"model":"bge-m3","embeddings":[' + b",".join([self.vector] * count) + b"]}"

    def other(self, path: str) -> bytes:
        if path == "/stats":
            found = dict(self.stats)
            self.stats.update(requests=0, texts=0, longest_s=0.0)
            return json.dumps(found).encode()
        if path == "/api/tags":
            return b'{"models":[{"name":"bge-m3:latest","digest":"' + b"0" * 64 + b'"}]}'
        return b'{"details":{},"model_info":{},"capabilities":["embedding"]}'


async def main(delay_s: float, dimension: int) -> None:
    generator = random.Random(1)
    numbers = [generator.gauss(0, 1) / dimension**0.5 for _ in range(dimension)]
    Server.vector = b"[" + b",".join(b"%.8g" % number for number in numbers) + b"]"
    Server.delay_s = delay_s
    Server.stats = {"requests": 0, "texts": 0, "longest_s": 0.0}
    server = await asyncio.get_running_loop().create_server(Server, "127.0.0.1", 0)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--delay-ms", type=float, default=0.0)
    parser.add_argument("--dimension", type=int, default=1024, help="numbers in a vector")
    options = parser.parse_args()
    asyncio.run(main(options.delay_ms / 1000, options.dimension))
