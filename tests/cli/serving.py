# SPDX-License-Identifier: MIT
"""A running `hocket serve`, and clients for it, from raw bytes up."""
import http.client
import os
import signal
import socket
import ssl
import subprocess
import time

from support import BINARY, TIMEOUT, Skipped, environment, run, test, write


class Server:
    """`with Server(tree, options...) as server:` runs it on a free port, and stops it at the end.

    Afterwards `errors` has what it said beyond its first line, `log` the access log, `status` its
    exit status."""

    def __init__(self, directory, *options, prefix=(), status=0):
        self.command = [*prefix, BINARY, "serve", "--port", "0", *options, "--", directory]
        self.expected = status
        self.status = self.errors = self.log = None
        self.told = False  # to stop

    def __enter__(self):
        self.process = subprocess.Popen(self.command, env=environment(), stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.said = self.process.stderr.readline().decode()
        assert " on http" in self.said, self.said + self.process.stderr.read().decode()
        self.port = int(self.said.rstrip("/\n").rsplit(":", 1)[1])
        return self

    def __exit__(self, kind, *_):
        if not self.told:
            self.tell(signal.SIGTERM)
        self.end()
        if kind is None:
            assert self.status == self.expected, (self.status, self.errors)

    def tell(self, signo):
        self.told = True
        self.process.send_signal(signo)

    def end(self):
        if self.log is None:
            output, self.errors = self.process.communicate(timeout=TIMEOUT)
            self.log, self.status = output.decode().splitlines(), self.process.returncode

    def connect(self):
        client = socket.create_connection(("127.0.0.1", self.port), TIMEOUT)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return client

    def http(self):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT)

    def https(self, certificate):
        context = ssl.create_default_context(cafile=certificate)
        return http.client.HTTPSConnection("localhost", self.port, timeout=TIMEOUT,
                                           context=context)

    def ask(self, path, method="GET", **headers):
        """One request on a connection of its own: the answer, with its `body`."""
        client = self.http()
        answer = ask(client, path, method, **headers)
        client.close()
        return answer

    def raw(self, data, pieces=1):
        """Sends bytes, in so many pieces, and reads until the server closes. What came."""
        with self.connect() as client:
            size = max(1, (len(data) + pieces - 1) // pieces)
            try:
                for i in range(0, len(data), size):
                    client.sendall(data[i:i + size])
            except (BrokenPipeError, ConnectionResetError):
                pass  # it has said already that this is enough
            return read_all(client)


def ask(client, path, method="GET", body=None, **headers):
    """On an http.client connection; If_Range=... becomes If-Range."""
    client.request(method, path, body=body,
                   headers={name.replace("_", "-"): value for name, value in headers.items()})
    answer = client.getresponse()
    answer.body = answer.read()
    return answer


def read_all(client):
    parts = []
    try:
        while part := client.recv(65536):
            parts.append(part)
    except ConnectionResetError:
        pass
    return b"".join(parts)


def statuses(data):
    """The statuses of answers that follow each other in a stream of bytes."""
    found = []
    while data:
        head, end, data = data.partition(b"\r\n\r\n")
        assert end and head.startswith(b"HTTP/1.1 "), (head, found)
        found.append(int(head[9:12]))
        lengths = [int(line.split(b":")[1]) for line in head.split(b"\r\n")
                   if line.lower().startswith(b"content-length:")]
        if found[-1] not in (204, 304) and lengths:
            data = data[lengths[0]:]
    return found


def until(condition, seconds=30.0):
    """Waits for something that happens in another process."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.005)


def serve_test(function):
    """A test for builds with llhttp, with a small site in `tree`."""
    def wrapped(tree):
        if b"without llhttp" in run("--version").stdout:
            raise Skipped("no llhttp")
        write(tree + "/a.txt", b"hello\n")
        write(tree + "/folder/b.html", b"<p>b</p>")
        write(tree + "/with index/index.html", b"<p>index</p>")
        write(tree + "/.hidden/secret", b"secret")
        write(tree + "/empty", b"")
        write(tree + "/big", bytes(range(256)) * 4000)
        function(tree)
    wrapped.__name__ = "serve_" + function.__name__
    return test(wrapped)


def children_cpu():
    times = os.times()
    return times.children_user + times.children_system
