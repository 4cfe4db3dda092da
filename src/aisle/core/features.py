"""Feature flags: AIStore's names by bit, and a 64-bit mask to and from them.

A mask travels as a decimal string in `features` of the cluster configuration and of bucket props.
Bits and names are AIStore's; a flag that Aisle does not act on is kept and returned, so that a
configuration taken from an AIStore cluster survives. No behaviour lives here, only the table.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from aisle.core.errors import InvalidArgument

MASK_LIMIT: Final = 1 << 64


@dataclass(frozen=True, slots=True)
class Feature:
    """One flag. `per_bucket` flags may be set in bucket props too; `effect` is ours."""

    bit: int
    name: str
    help: str
    per_bucket: bool = False
    effect: bool = False

    @property
    def mask(self) -> int:
        return 1 << self.bit


_NAMED: Final = (
    ("Enforce-IntraCluster-Access", "refuse object requests that did not come through a gateway"),
    ("Skip-Loading-VersionChecksum-MD*", "do not read version and checksum of remote objects"),
    ("Do-not-Auto-Detect-FileShare", "do not detect shared file systems when promoting files"),
    ("S3-API-via-Root", "answer the S3 API at / as well as under /s3"),
    ("Fsync-PUT*", "sync an object to disk before its PUT is acknowledged"),
    ("LZ4-Block-1MB", "compress transport streams in blocks of 1 MiB"),
    ("LZ4-Frame-Checksum", "checksum compressed transport frames"),
    ("Do-not-Allow-Passing-FQN-to-ETL", "do not hand file names to transformers"),
    ("Ignore-LimitedCoexistence-Conflicts", "run jobs side by side that normally exclude others"),
    ("S3-Presigned-Request*", "pass presigned requests on to the remote S3 bucket"),
    ("Do-not-Optimize-Listing-Virtual-Dirs", "list every key below a virtual directory"),
    ("Disable-Cold-GET*", "do not fetch remote objects that are not in the cluster"),
    ("Streaming-Cold-GET*", "send a remote object while it is being stored"),
    ("S3-Reverse-Proxy", "let a gateway relay object bytes instead of redirecting"),
    ("S3-Use-Path-Style*", "address remote S3 buckets by path"),
    ("Do-not-Delete-When-Rebalancing", "keep misplaced copies while rebalancing"),
    ("Do-not-Set-Control-Plane-ToS", "leave the IP type of service of control traffic alone"),
    ("Trust-Crypto-Safe-Checksums", "skip a copy if a cryptographic checksum already matches"),
    ("S3-ListObjectVersions*", "list object versions of remote S3 buckets"),
    ("Enable-Detailed-Prom-Metrics", "label metrics by bucket"),
    ("Force-Container-CPU-Mem", "take CPU and memory limits from the container"),
    ("Resume-Interrupted-MPU*", "resume multipart uploads after a restart"),
    ("Keep-Unknown-FQN", "do not remove files that the store does not know"),
    ("Load-Balance-GET", "read from any copy of a mirrored object"),
    ("Count-Object-NotFound-Stats*", "count requests for absent objects as errors"),
    ("Enable-Go-Runtime-Metrics", "export metrics of the Go runtime"),
    ("Dload-Allow-Private-Egress", "let HTTP origins lead to private addresses"),
    ("S3-Redirect-Rebuild", "rebuild redirect addresses for S3 clients"),
)
# This server never redirects, keeps uploads over restarts and syncs unless `--durability` is
# relaxed, so most flags have nothing to switch here.
_EFFECTIVE: Final = frozenset(
    {
        "S3-API-via-Root",
        "S3-Presigned-Request",
        "Disable-Cold-GET",
        "Streaming-Cold-GET",
        "Dload-Allow-Private-Egress",
        "S3-Use-Path-Style",
        "S3-ListObjectVersions",
    }
)

FEATURES: Final = tuple(
    Feature(
        bit,
        marked.rstrip("*"),
        text,
        per_bucket=marked.endswith("*"),
        effect=marked.rstrip("*") in _EFFECTIVE,
    )
    for bit, (marked, text) in enumerate(_NAMED)
)
BY_NAME: Final = {feature.name: feature for feature in FEATURES}
# Older AIStore documents spell this one differently.
ALIASES: Final = {"Presigned-S3-Req": "S3-Presigned-Request"}
_FOLDED: Final = {
    **{name.lower(): feature for name, feature in BY_NAME.items()},
    **{alias.lower(): BY_NAME[name] for alias, name in ALIASES.items()},
}

S3_VIA_ROOT: Final = BY_NAME["S3-API-via-Root"].mask
BUCKET_MASK: Final = sum(feature.mask for feature in FEATURES if feature.per_bucket)
DEFAULT_MASK: Final = S3_VIA_ROOT

_EXCLUSIVE: Final = (
    ("Disable-Cold-GET", "Streaming-Cold-GET"),
    ("S3-Reverse-Proxy", "S3-Redirect-Rebuild"),
)


def names_of(mask: int) -> list[str]:
    """Names of the known flags in `mask`, in bit order."""
    return [feature.name for feature in FEATURES if mask & feature.mask]


def parse_features(text: str | int | Iterable[str], *, bucket: bool = False) -> int:
    """A mask from a number, a decimal (or `0x`) string, `none`, or names.

    Names may be a list, or text separated by commas or spaces. Raises `InvalidArgument` for an
    unknown name, a cluster-only flag on a bucket, or flags that exclude each other.
    """
    mask = _read_mask(text)
    if not 0 <= mask < MASK_LIMIT:
        raise _invalid(f"{mask} is not an unsigned 64-bit mask", str(mask))
    if bucket and mask & ~BUCKET_MASK:
        shown = ", ".join(names_of(mask & ~BUCKET_MASK)) or f"mask {mask}"
        raise _invalid(f"{shown} cannot be set on a bucket", str(mask))
    for first, second in _EXCLUSIVE:
        if mask & BY_NAME[first].mask and mask & BY_NAME[second].mask:
            raise _invalid(f"{first} and {second} exclude each other", str(mask))
    return mask


def _read_mask(text: str | int | Iterable[str]) -> int:
    if isinstance(text, int):
        return text
    words = text.replace(",", " ").split() if isinstance(text, str) else list(text)
    if len(words) == 1:
        word = words[0].lower()
        if word == "none":
            return 0
        if word.isdecimal():
            return int(word)
        if word.startswith("0x"):
            try:
                return int(word, 16)
            except ValueError:
                raise _invalid(f"{words[0]!r} is not a hexadecimal mask", words[0]) from None
    mask = 0
    for word in words:
        feature = _FOLDED.get(word.lower())
        if feature is None:
            raise _invalid(f"there is no feature {word!r}", word)
        mask |= feature.mask
    return mask


def _invalid(message: str, value: str) -> InvalidArgument:
    return InvalidArgument(f"features: {message}", name="features", value=value)
