"""Databases and what loads them."""

import glob
import hashlib
import os
import random

from applications.registry import application
from applications.stage import expect, find


@application("redis", program="redis-server, redis-benchmark, redis-cli", version=["redis-server", "--version"],
             needs=["redis-server", "redis-benchmark"])
def redis(stage):
    """redis-benchmark, 50 connections, 16 requests in flight on each, 50,000 of SET, GET, INCR and LPUSH; a value of 8 MB there
    and back"""
    port = stage.port()
    with stage.place() as place:
        with stage.server.serve("redis-server", "--port", port, "--bind", "0.0.0.0", "--protected-mode", "no", "--save", "",
                                "--dir", place, port=port):
            there = ["-h", stage.server.address, "-p", port]
            output = stage.client.run("redis-benchmark", *there, "-q", "-c", 50, "-P", 16, "-n", 50_000, "-t", "set,get,incr,lpush")
            for name in ("SET", "GET", "INCR", "LPUSH"):
                find(rf"{name}: [\d.]+ requests per second", output, "redis-benchmark did not finish")
            expect("rror" not in output, f"redis-benchmark: {output}")
            value = random.Random(1).randbytes(8 << 20).hex()[: 8 << 20]
            said = stage.client.run("redis-cli", *there, "-x", "SET", "large", input=value.encode())
            expect(said.strip() == "OK", f"redis-cli SET: {said}")
            back = stage.client.run("redis-cli", *there, "GET", "large").rstrip("\n")
            expect(back == value, f"redis-cli GET: {len(back)} characters, and not the right ones")
            pushed = stage.client.run("redis-cli", *there, "LLEN", "mylist").strip()
            expect(int(pushed) >= 50_000, f"LPUSH left {pushed} elements of 50,000")


@application("postgresql", program="PostgreSQL, pgbench, psql", version=["sh", "-c", "/usr/lib/postgresql/*/bin/postgres -V"],
             needs=["psql"])
def postgresql(stage):
    """pgbench -i, then 8 connections on 2 threads, 200 transactions each; psql fetches 100,000 rows (11 MB) and stores them again;
    over TLS"""
    port = stage.port()
    binaries = sorted(glob.glob("/usr/lib/postgresql/*/bin"))[-1]
    as_postgres = ["runuser", "-u", "postgres", "--"]
    with stage.place("postgres") as place:
        data = os.path.join(place, "data")
        stage.server.loopback(*as_postgres, f"{binaries}/initdb", "-D", data, "-A", "trust", "--no-sync", "-E", "UTF8", cwd=place)
        configure(stage, data, port)
        with stage.server.serve(*as_postgres, f"{binaries}/postgres", "-D", data, port=port, cwd=place):
            there = ["-h", stage.server.address, "-p", port, "-U", "postgres"]
            tls = {"PGSSLMODE": "require"}
            stage.client.run(f"{binaries}/pgbench", *there, "-q", "-i", "-s", 1, "postgres", environment=tls)
            output = stage.client.run(f"{binaries}/pgbench", *there, "-n", "-c", 8, "-j", 2, "-t", 200, "postgres", environment=tls)
            find(r"actually processed: 1600/1600", output, "pgbench: not all transactions")
            find(r"failed transactions: 0 ", output, "pgbench: some failed")
            query = "select i, md5(i::text), repeat(md5((i+1)::text), 2) from generate_series(1, 100000) i"
            rows = stage.client.run(f"{binaries}/psql", *there, "-c", f"copy ({query}) to stdout", environment=tls)
            expect(hashlib.md5(rows.encode()).hexdigest() == hashlib.md5(expected_rows().encode()).hexdigest(), "psql: not the right rows")
            psql = [f"{binaries}/psql", *there, "-qAt"]
            stage.client.run(*psql, "-c", "create table t (i int, a text, b text)", environment=tls)
            stage.client.run(*psql, "-c", "copy t from stdin", environment=tls, input=rows.encode())
            same = stage.client.run(*psql, "-c", f"select count(*) from (select * from t intersect {query}) x", environment=tls)
            expect(same.strip() == "100000", f"psql: {same.strip()} rows of 100,000 came back the same")


def configure(stage, data, port):
    import shutil
    for name, source in zip(("server.crt", "server.key"), stage.certificate()):
        shutil.copy(source, os.path.join(data, name))
        shutil.chown(os.path.join(data, name), "postgres")
        os.chmod(os.path.join(data, name), 0o600)
    with open(os.path.join(data, "pg_hba.conf"), "a") as file:
        file.write("host all all 0.0.0.0/0 trust\n")
    with open(os.path.join(data, "postgresql.conf"), "a") as file:
        file.write(f"port = {port}\nlisten_addresses = '*'\nunix_socket_directories = '{os.path.dirname(data)}'\nssl = on\nfsync = off\n")


def expected_rows():
    def digest(number):
        return hashlib.md5(str(number).encode()).hexdigest()
    return "".join(f"{i}\t{digest(i)}\t{digest(i + 1) * 2}\n" for i in range(1, 100_001))
