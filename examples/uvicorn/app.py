"""An ASGI application."""

import os


async def application(scope, _receive, send):
    if scope["type"] != "http":
        return
    body = f"hello world from slot {os.environ['GRACEFULD_SLOT']}\n".encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain"),
                                                                          (b"content-length", str(len(body)).encode())]})
    await send({"type": "http.response.body", "body": body})
