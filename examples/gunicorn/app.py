"""A WSGI application."""

import os


def application(_environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"hello world from slot {os.environ['GRACEFULD_SLOT']}\n".encode()]
