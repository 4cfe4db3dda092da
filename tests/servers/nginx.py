"""nginx as an HTTP origin: the same files served in several ways, at a location each.

`/files/` is plain: ETags, ranges, dates. Others lack something that servers may lack, or redirect.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from tests.servers.program import Program

NGINX = "/usr/sbin/nginx"

_CONFIG = """\
daemon off;
master_process off;
worker_processes 1;
pid {directory}/nginx.pid;
error_log stderr warn;
events {{ worker_connections 512; }}
http {{
    access_log {directory}/access.log;
    client_body_temp_path {directory}/client;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    default_type application/octet-stream;
    types {{ text/plain txt; }}
    server {{
        listen 127.0.0.1:{port};
        location /files/ {{ alias {root}/; }}
        location /no-etag/ {{ alias {root}/; etag off; }}
        location /no-range/ {{ alias {root}/; max_ranges 0; }}
        location /no-head/ {{ alias {root}/; if ($request_method = HEAD) {{ return 405; }} }}
        location /no-size/ {{
            alias {root}/;
            etag off;
            max_ranges 0;
            # What is filtered has a length that nobody knows before its end.
            sub_filter_types *;
            sub_filter never-in-a-file x;
        }}
        location /gzip/ {{ alias {root}/; gzip on; gzip_types *; gzip_min_length 1; }}
        location /stored/ {{ alias {root}/; add_header content-encoding gzip; }}
        location /denied/ {{ return 403; }}
        location /busy/ {{ return 503; }}
        location /away/ {{ rewrite ^/away/(.*)$ $scheme://$http_host/files/$1 redirect; }}
        location /near/ {{ absolute_redirect off; rewrite ^/near/(.*)$ /files/$1 permanent; }}
        location /loop/ {{ rewrite ^ $scheme://$http_host/loop/x redirect; }}
        location /private/ {{ return 302 http://127.0.0.2:{port}/files/; }}
        location /metadata/ {{ return 302 http://169.254.169.254/latest/meta-data/; }}
        location /named/ {{ return 302 http://localhost:{port}/files/key; }}
        location /file/ {{ return 302 file:///etc/passwd; }}
        location /secret/ {{ return 302 http://user:word@127.0.0.1:{port}/files/; }}
    }}
}}
"""


class Nginx(Program):
    """nginx over `root`, a directory below `directory`."""

    def __init__(self, directory: Path) -> None:
        super().__init__()
        self.files = directory / "files"
        self.files.mkdir(parents=True)
        self._log = directory / "access.log"
        self._config = directory / "nginx.conf"
        text = _CONFIG.format(directory=directory, port=self.port, root=self.files)
        self._config.write_text(text)

    def command(self) -> Sequence[str]:
        return (NGINX, "-c", str(self._config), "-e", "stderr")

    def requests(self) -> list[str]:
        """Method and path of every request so far."""
        return re.findall(r'"([A-Z]+ [^ "]*)', self._log.read_text())
