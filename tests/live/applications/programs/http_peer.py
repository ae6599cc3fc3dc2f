"""http.server as a server, requests as a client.

    http_peer.py server ADDRESS PORT DIRECTORY
    http_peer.py client URL SHA256
"""

import functools
import hashlib
import http.server
import sys


class Handler(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        left, digest = int(self.headers["Content-Length"]), hashlib.sha256()
        while left > 0:
            block = self.rfile.read(min(left, 1 << 16))
            if not block:
                break
            digest.update(block)
            left -= len(block)
        answer = digest.hexdigest().encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


def serve(address, port, directory):
    http.server.ThreadingHTTPServer((address, int(port)), functools.partial(Handler, directory=directory)).serve_forever()


def fetch(url, digest):
    import requests
    session = requests.Session()
    for _ in range(3):  # over one connection
        body = session.get(url, timeout=30).content
        assert hashlib.sha256(body).hexdigest() == digest, len(body)
    assert session.post(url, data=body, timeout=30).text == digest
    print("right")


if __name__ == "__main__":
    serve(*sys.argv[2:]) if sys.argv[1] == "server" else fetch(*sys.argv[2:])
