"""Where requests for a bucket go: the configured endpoint and region, in one of two styles.

A request is sent to the endpoint's own host in either style; `virtual-hosted` is told by the Host
header, which is what is signed. So bucket names need no DNS, certificates fit names with dots, and
all buckets of an endpoint share its connections. Pure functions.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple
from urllib.parse import quote, urlsplit

PATH: Final = "path"
VIRTUAL: Final = "virtual-hosted"
# Behind one of them: Amazon's first region by the host that has no region in it, which is what
# many clients sign for there.
GLOBAL: Final = "-global"
_FIRST_REGION: Final = "us-east-1"
_HOST_LABEL: Final = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")


class Address(NamedTuple):
    """`base` is what a path begins with: scheme, host, and the bucket in path style. `host` is the
    value of Host."""

    base: str
    host: str

    def url(self, path: str = "", query: str = "") -> str:
        """The address of a percent-encoded key; of the bucket without one."""
        url = f"{self.base}/{path}" if path else self.base
        if not path and url.count("/") == 2:
            url += "/"
        return f"{url}?{query}" if query else url


def amazon(region: str) -> str:
    """Amazon's endpoint in a region."""
    suffix = ".cn" if region.startswith("cn-") else ""
    return f"https://s3.{region}.amazonaws.com{suffix}"


def address(endpoint: str, region: str, bucket: str, style: str) -> Address:
    """The address of a bucket, or of the service if there is none."""
    base = endpoint or amazon(region)
    host = urlsplit(base).netloc
    if style.endswith(GLOBAL):
        host, style = "s3.amazonaws.com", style.removesuffix(GLOBAL)
    if not bucket:
        return Address(base, host)
    if style == VIRTUAL:
        return Address(base, f"{bucket}.{host}")
    return Address(f"{base}/{bucket}", host)


def other_style(endpoint: str, region: str, style: str) -> str:
    """The style in which the same bucket has another host; `""` if it has none."""
    named_twice = not endpoint and region == _FIRST_REGION
    return style + GLOBAL if named_twice and not style.endswith(GLOBAL) else ""


def default_style(endpoint: str, bucket: str, *, path_style: bool) -> str:
    """Virtual-hosted at Amazon where the name allows it, as Amazon asks; else by path."""
    fits = _HOST_LABEL.fullmatch(bucket) is not None
    return VIRTUAL if fits and not endpoint and not path_style else PATH


def encode_key(key: str) -> str:
    return quote(key, safe="/-._~")


def encode_query(**pairs: str) -> str:
    """A query string; an empty value is written `name=`, as it is signed. Underscores of names are
    dashes."""
    return "&".join(
        f"{quote(name.replace('_', '-'), safe='-')}={quote(value, safe='-._~')}"
        for name, value in pairs.items()
    )
