"""Programs that nobody modified, over Braid, with the kernel's MPTCP (or Braid) as the peer."""

import hashlib
import json
import os
import re
import tempfile

import pytest

import lab


@pytest.fixture
def net():
    with lab.Lab(2) as made:
        yield made


@pytest.fixture
def place():
    with tempfile.TemporaryDirectory(prefix="braid-") as directory:
        os.chmod(directory, 0o755)
        yield directory


def make_file(place, name, size):
    path = os.path.join(place, name)
    digest = hashlib.sha256()
    with open(path, "wb") as file:
        for _ in range(size >> 20):
            block = os.urandom(1 << 20)
            digest.update(block)
            file.write(block)
        rest = os.urandom(size & ((1 << 20) - 1))
        digest.update(rest)
        file.write(rest)
    return path, digest.hexdigest()


def sha256(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def nginx_config(place, workers):
    path = os.path.join(place, "nginx.conf")
    with open(path, "w") as file:
        file.write(f"""
daemon off; pid {place}/nginx.pid; error_log {place}/error.log warn; worker_processes {workers}; user root;
events {{ worker_connections 1024; }}
http {{
  access_log off; sendfile on; client_body_temp_path {place}/b; proxy_temp_path {place}/p; fastcgi_temp_path {place}/f;
  uwsgi_temp_path {place}/u; scgi_temp_path {place}/s;
  server {{ listen 8080; listen [::]:8080; root {place}; }}
}}
""")
    return path


def is_listening(side, port, braid=False):
    """Whether something listens on the port; under Braid the kernel doesn't know, so a client asks."""
    if not braid:
        return f":{port} " in side.run("ss", "-Hltn")
    other = side.lab.client if side is side.lab.server else side.lab.server
    probe = f"import socket; socket.create_connection(('{side.address()}', {port}), 1).close()"
    return lab.subprocess.run(other.command("/usr/bin/python3", "-c", probe), capture_output=True).returncode == 0


def start_nginx(net, place, words, workers=2, braid=False):
    nginx = net.server.start(*words, "nginx", "-c", nginx_config(place, workers))
    lab.wait_for(lambda: nginx.poll() is not None or is_listening(net.server, 8080, braid), what="nginx")
    assert nginx.poll() is None, nginx.communicate()
    return nginx


def check_ab(output, requests):
    assert re.search(rf"Complete requests:\s+{requests}\b", output), output
    assert re.search(r"Failed requests:\s+0\b", output), output
    assert "Non-2xx" not in output, output


@pytest.mark.parametrize("who", ["server", "client"])
def test_nginx_and_ab(net, place, who):
    make_file(place, "page", 10_000)
    braid_server = who == "server"
    if braid_server:
        net.client.use_kernel_mptcp()
    else:
        net.server.use_kernel_mptcp(signal=True)
    start_nginx(net, place, lab.braid_run() if braid_server else lab.MPTCPIZE, braid=braid_server)
    words = lab.MPTCPIZE if braid_server else lab.braid_run()
    output = net.client.run(*words, "ab", "-q", "-n", 10_000, "-c", 100, f"http://{net.server.address()}:8080/page", timeout=120)
    check_ab(output, 10_000)


@pytest.mark.parametrize("client,server", [("braid", "kernel"), ("kernel", "braid"), ("braid", "braid")])
def test_curl_and_nginx(net, place, client, server):
    path, digest = make_file(place, "file", 64 << 20)
    if client == "kernel":
        net.client.use_kernel_mptcp()
    if server == "kernel":
        net.server.use_kernel_mptcp(signal=True)
    words = {"braid": lab.braid_run(), "kernel": lab.MPTCPIZE}
    start_nginx(net, place, words[server], braid=server == "braid")
    for family in (4, 6):
        host = net.server.address(0, family)
        host = f"[{host}]" if family == 6 else host
        copy = os.path.join(place, f"copy{family}")
        net.client.run(*words[client], "curl", "-sSf", "--max-time", 60, "-o", copy, f"http://{host}:8080/file", timeout=90)
        assert sha256(copy) == digest


@pytest.mark.parametrize("direction", [[], ["-R"], ["--bidir"]], ids=["forward", "reverse", "both"])
@pytest.mark.parametrize("client,server", [("braid", "kernel"), ("kernel", "braid"), ("braid", "braid")])
def test_iperf3(net, client, server, direction):
    if client == "kernel":
        net.client.use_kernel_mptcp()
    if server == "kernel":
        net.server.use_kernel_mptcp(signal=True)
    words = {"braid": lab.braid_run(), "kernel": lab.MPTCPIZE}
    daemon = net.server.start(*words[server], "iperf3", "-s", "-1", "--forceflush", stderr=lab.subprocess.STDOUT)
    lines = b""
    while b"Server listening" not in lines:
        line = daemon.stdout.readline()
        assert line, lines
        lines += line
    output = net.client.run(*words[client], "iperf3", "-c", net.server.address(), "-t", 2, "-J", *direction, timeout=60)
    result = json.loads(output)
    assert "error" not in result, result
    assert result["end"]["sum_received"]["bytes"] > 1 << 20
    if direction == ["--bidir"]:
        assert result["end"]["sum_received_bidir_reverse"]["bytes"] > 1 << 20


@pytest.mark.parametrize("client,server", [("braid", "braid"), ("braid", "kernel")])
def test_ssh_and_scp(net, place, client, server):
    path, digest = make_file(place, "file", 100 << 20)
    lab.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", f"{place}/host")
    lab.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", f"{place}/id")
    os.makedirs("/run/sshd", exist_ok=True)
    with open(f"{place}/authorized", "w") as out, open(f"{place}/id.pub") as key:
        out.write(key.read())
    if server == "kernel":
        net.server.use_kernel_mptcp(signal=True)
    words = {"braid": lab.braid_run(), "kernel": lab.MPTCPIZE}
    sshd = net.server.start(*words[server], "/usr/sbin/sshd", "-D", "-e", "-f", "/dev/null", "-p", 2222, "-h", f"{place}/host",
                            "-o", f"AuthorizedKeysFile={place}/authorized", "-o", "StrictModes=no",
                            "-o", f"PidFile={place}/sshd.pid", "-o", "UsePAM=no", "-o", "PermitRootLogin=yes",
                            "-o", "Subsystem=sftp internal-sftp")
    lab.wait_for(lambda: sshd.poll() is not None or is_listening(net.server, 2222, server == "braid"), what="sshd")
    assert sshd.poll() is None, sshd.communicate()
    options = ["-i", f"{place}/id", "-o", "StrictHostKeyChecking=no", "-o", f"UserKnownHostsFile={place}/known",
               "-o", "BatchMode=yes", "-q"]
    there = f"root@{net.server.address()}"
    # The shell on the far side is in the same filesystem: what the command wrote can be looked at.
    net.client.run(*words[client], "ssh", "-p", 2222, *options, there, f"echo over the wire > {place}/said", timeout=60)
    assert open(f"{place}/said").read() == "over the wire\n"
    net.client.run(*words[client], "scp", "-P", 2222, *options, path, f"{there}:{place}/up", timeout=90)
    assert sha256(f"{place}/up") == digest
    net.client.run(*words[client], "scp", "-P", 2222, *options, f"{there}:{path}", f"{place}/down", timeout=90)
    assert sha256(f"{place}/down") == digest
