"""Configurations of servers that several programs talk to."""

import contextlib
import glob
import os


def nginx_configuration(place, port, tls_port, certificate, workers):
    path = os.path.join(place, "nginx.conf")
    temporary = " ".join(f"{kind}_temp_path {place}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    dav = glob.glob("/usr/lib/nginx/modules/ngx_http_dav_module.so")
    with open(path, "w") as file:
        file.write(f"""
daemon off; pid {place}/nginx.pid; error_log stderr warn; worker_processes {workers}; user root;
{"".join(f"load_module {module};" for module in dav)}
events {{ worker_connections 1024; }}
http {{
  access_log off; sendfile on; tcp_nopush on; tcp_nodelay on; keepalive_requests 100000; client_max_body_size 1g; {temporary}
  ssl_certificate {certificate[0]}; ssl_certificate_key {certificate[1]};
  server {{
    listen {port}; listen [::]:{port}; listen {tls_port} ssl http2; root {place};
    location /up/ {{ dav_methods PUT; create_full_put_path on; }}
  }}
}}
""")
    return path


@contextlib.contextmanager
def nginx(stage, place, host=None, workers=2, on_stack=True):
    """nginx on a host; its plain and its TLS port. What is PUT below /up/ is in the directory up."""
    host = host or stage.server
    port, tls_port = stage.port(), stage.port()
    configuration = nginx_configuration(place, port, tls_port, stage.certificate(), workers)
    # -e: what it says before it has read its configuration.
    with host.serve("nginx", "-e", "stderr", "-c", configuration, port=port, on_stack=on_stack):
        yield port, tls_port


def apache_configuration(place, port, tls_port, certificate):
    modules = ["mpm_event", "authz_core", "mime", "dir", "socache_shmcb", "ssl"]
    loads = "\n".join(f"LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so" for name in modules)
    path = os.path.join(place, "apache.conf")
    with open(path, "w") as file:
        file.write(f"""
{loads}
ServerName braid
ServerRoot {place}
PidFile {place}/apache.pid
ErrorLog /dev/stderr
TypesConfig /etc/mime.types
Mutex pthread
User www-data
Group www-data
# Idle connections are closed when threads are scarce, and processes that are not needed: ab would count that as failures.
StartServers 2
ThreadsPerChild 64
MinSpareThreads 64
MaxSpareThreads 512
MaxRequestWorkers 512
MaxKeepAliveRequests 0
KeepAliveTimeout 60
DocumentRoot {place}
EnableSendfile On
Listen {port}
Listen {tls_port}
<VirtualHost *:{tls_port}>
  SSLEngine on
  SSLCertificateFile {certificate[0]}
  SSLCertificateKeyFile {certificate[1]}
  DocumentRoot {place}
</VirtualHost>
""")
    return path


@contextlib.contextmanager
def apache(stage, place):
    port, tls_port = stage.port(), stage.port()
    configuration = apache_configuration(place, port, tls_port, stage.certificate())
    with stage.server.serve("apache2", "-f", configuration, "-DFOREGROUND", port=port):
        yield port, tls_port
