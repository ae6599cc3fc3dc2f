"""What passes connections on."""

import os

import lab
from applications.registry import application
from applications.servers import nginx
from applications.stage import expect_same, make_file
from applications.web import ab

MB = 1 << 20


@application("haproxy", version=["haproxy", "-v"], needs=["haproxy"])
def haproxy(stage):
    """two threads, HTTP mode with keepalive and TCP mode with splicing: 16 MB each and 2,000 pages by ab. As the client it takes
    from its own host's loopback and has its server on the other; as the server it is the other way round"""
    with stage.place() as place:
        _, digest = make_file(place, "file", 16 * MB)
        make_file(place, "page", 10_000)
        at_client = stage.client.stack == "braid" and stage.server.stack == "kernel"
        host = stage.client if at_client else stage.server
        with nginx(stage, place, on_stack=at_client) as (backend, _):
            target = f"{stage.server.address if at_client else '127.0.0.1'}:{backend}"
            fronts = stage.port(), stage.port()
            bind = "127.0.0.1" if at_client else ""
            configuration = write_configuration(place, bind, fronts, target)
            with host.serve("haproxy", "-db", "-f", configuration, port=None if at_client else fronts[0]):
                if at_client:
                    wait_on_loopback(host, fronts[0])
                address = "127.0.0.1" if at_client else stage.server.address
                run = stage.client.loopback if at_client else stage.client.run
                for front in fronts:
                    run("curl", "-sSf", "-o", f"{place}/copy", f"http://{address}:{front}/file")
                    expect_same(f"{place}/copy", digest, f"through port {front}")
                ab(stage, f"http://{address}:{fronts[0]}/page", 10_000, 2_000)
                ab(stage, f"http://{address}:{fronts[0]}/page", 10_000, 2_000, "-k")


def write_configuration(place, bind, fronts, target):
    path = os.path.join(place, "haproxy.cfg")
    with open(path, "w") as file:
        file.write(f"""
global
  nbthread 2
defaults
  timeout connect 5s
  timeout client 30s
  timeout server 30s
listen http
  mode http
  bind {bind}:{fronts[0]}
  server one {target}
listen tcp
  mode tcp
  option splice-auto
  bind {bind}:{fronts[1]}
  server one {target}
""")
    return path


def wait_on_loopback(host, port):
    lab.wait_for(lambda: f":{port} " in host.side.run("ss", "-Hltn"), what="haproxy")
