"""What a bucket's props and the node's environment say of a remote S3 bucket, as one value.

Props win over the environment: `extra.aws.endpoint` over S3_ENDPOINT, `extra.aws.cloud_region` over
AWS_REGION and AWS_DEFAULT_REGION, `extra.aws.profile` over AWS_PROFILE. AIS_S3_CONFIG_DIR is where
AWS's `config` and `credentials` files are looked for, instead of `~/.aws`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlsplit

from aisle.core.errors import ConfigError, InvalidArgument
from aisle.core.features import BY_NAME
from aisle.core.units import parse_size

PAGE: Final = 1000
PART: Final = 128 << 20
SMALLEST_PART: Final = 5 << 20
LARGEST: Final = 5 << 30  # of a part, and of an object that is sent in one piece
DEFAULT_REGION: Final = "us-east-1"

_REGION: Final = re.compile(r"[a-z0-9-]{1,64}")
_BUCKET: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,254}")
_PATH_STYLE: Final = BY_NAME["S3-Use-Path-Style"].mask
_VERSIONS: Final = BY_NAME["S3-ListObjectVersions"].mask


@dataclass(frozen=True, slots=True)
class Account:
    """Whose credentials are used. Two buckets of the same account share them."""

    profile: str  # "" for the environment's
    files: str  # the directory of AWS's files, "" for their usual places
    metadata: bool  # whether the machine's metadata service may be asked


@dataclass(frozen=True, slots=True)
class Options:
    """Everything that is set about one remote bucket."""

    bucket: str
    endpoint: str  # scheme, host, port and perhaps a path; "" for Amazon's
    region: str  # "" if nobody has said
    account: Account
    page: int  # names of a listing's page
    part: int  # bytes of a part of an upload, 0 for uploads in one piece always
    path_style: bool
    versions: bool  # whether listings tell versions


def read_options(
    bucket: str, settings: Mapping[str, Any], environment: Mapping[str, str]
) -> Options:
    """Raises `InvalidArgument` and `ConfigError` for what makes no sense."""
    if bucket and not _BUCKET.fullmatch(bucket):
        raise InvalidArgument(f'"{bucket}" is no name of an S3 bucket', name="bucket", value=bucket)
    endpoint = _text(settings, "endpoint") or environment.get("S3_ENDPOINT", "")
    region = _text(settings, "cloud_region") or _first(
        environment, "AWS_REGION", "AWS_DEFAULT_REGION"
    )
    if region and not is_region(region):
        raise InvalidArgument(
            "a region has lower-case letters, digits and dashes",
            name="extra.aws.cloud_region",
            value=region[:64],
        )
    mask = int(settings.get("features") or 0)
    return Options(
        bucket=bucket,
        endpoint=read_endpoint(endpoint) if endpoint else "",
        region=region,
        account=Account(
            profile=_text(settings, "profile") or environment.get("AWS_PROFILE", ""),
            files=_files(environment),
            metadata=settings.get("backend.aws") == "enabled",
        ),
        page=min(int(settings.get("extra.aws.max_pagesize") or 0) or PAGE, PAGE),
        part=_part(settings.get("extra.aws.multipart_size")),
        path_style=bool(mask & _PATH_STYLE),
        versions=bool(mask & _VERSIONS),
    )


def is_region(text: str) -> bool:
    return _REGION.fullmatch(text) is not None


def read_endpoint(text: str) -> str:
    """An endpoint without a slash at its end. Raises `InvalidArgument`."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    good = (
        parts.scheme in ("http", "https")
        and parts.hostname
        and parts.netloc.isascii()
        and parts.username is None
        and not (parts.query or parts.fragment)
        and port != 0
    )
    if not good:
        raise InvalidArgument(
            "an endpoint is http://HOST[:PORT][/PATH] or https://", name="extra.aws.endpoint"
        )
    return f"{parts.scheme}://{parts.netloc.lower()}{quote(parts.path, safe='/-._~%').rstrip('/')}"


def _files(environment: Mapping[str, str]) -> str:
    text = environment.get("AIS_S3_CONFIG_DIR", "")
    if text and not Path(text).is_absolute():
        raise ConfigError("AIS_S3_CONFIG_DIR is not an absolute path")
    return text


def _part(value: object) -> int:
    """The bytes of a part. Raises `InvalidArgument`."""
    text = str(value or "0").strip()
    if text == "-1":
        return 0
    try:
        size = parse_size(text)
    except ValueError as error:
        raise InvalidArgument(str(error), name="extra.aws.multipart_size", value=text) from None
    if size == 0:
        return PART
    if not SMALLEST_PART <= size <= LARGEST:
        raise InvalidArgument(
            "parts have 5MiB at least and 5GiB at most; 0 is 128MiB and -1 no parts at all",
            name="extra.aws.multipart_size",
            value=text,
        )
    return size


def _text(settings: Mapping[str, Any], name: str) -> str:
    return str(settings.get(f"extra.aws.{name}") or "").strip()


def _first(environment: Mapping[str, str], *names: str) -> str:
    return next((environment[name] for name in names if environment.get(name)), "")
