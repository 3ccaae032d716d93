"""Leads the names under `localhost` to loopback, for programs whose system does not."""

import socket

_resolve = socket.getaddrinfo
socket.getaddrinfo = lambda host, *args, **more: _resolve(
    "127.0.0.1" if str(host).endswith(".localhost") else host, *args, **more
)
