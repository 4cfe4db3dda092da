"""Which kinds of remote bucket this node can reach: the table of providers, and their opening.

What a provider needs beyond Aisle itself comes with an extra, so its module is imported by name
when a bucket of its kind is first used. That the extra is missing is a `BackendDisabled`, and no
reason for a node not to start.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from aisle.backend.base import Provider
from aisle.core.errors import BackendDisabled
from aisle.namespace.window.registry import Remotes

# Provider by AIStore's word -> module, class, and the extra to install for it.
PROVIDERS: Final = {
    "aws": ("aisle.backend.aws", "AwsProvider", "aisle[aws]"),
    "gcp": ("aisle.backend.gcp", "GcpProvider", "aisle[gcp]"),
    "azure": ("aisle.backend.azure", "AzureProvider", "aisle[azure]"),
    "ht": ("aisle.backend.ht", "HttpProvider", "aisle[ht]"),
    "ais": ("aisle.backend.ais", "AisProvider", ""),
}
# What in a node's environment says that a provider is to be used.
AMBIENT: Final[Mapping[str, tuple[str, ...]]] = {
    "aws": ("AWS_ACCESS_KEY_ID", "AWS_PROFILE", "S3_ENDPOINT"),
    "gcp": ("GOOGLE_APPLICATION_CREDENTIALS", "STORAGE_EMULATOR_HOST"),
    "azure": ("AZURE_STORAGE_CONNECTION_STRING", "AZURE_STORAGE_ACCOUNT", "AZURE_STORAGE_URL"),
}
# Files that say so too: where they are by default, and the variable that names another place.
FILES: Final[Mapping[str, tuple[tuple[str, str], ...]]] = {
    "aws": (
        ("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials"),
        ("AWS_CONFIG_FILE", "~/.aws/config"),
    ),
    "gcp": (("", "~/.config/gcloud/application_default_credentials.json"),),
}


class _Imported(Mapping[str, Provider]):
    """The table as `Remotes` takes it: a provider is imported and made when it is looked up."""

    def __getitem__(self, name: str) -> Provider:
        module, kind, extra = PROVIDERS[name]
        try:
            provider: Provider = getattr(importlib.import_module(module), kind)()
        except ModuleNotFoundError as error:
            if not extra:
                raise
            raise BackendDisabled(f'backend "{name}" needs the extra {extra} ({error})') from None
        return provider

    def __iter__(self) -> Iterator[str]:
        return iter(PROVIDERS)

    def __len__(self) -> int:
        return len(PROVIDERS)


def open_remotes(environment: Mapping[str, str]) -> Remotes:
    """The remote buckets of one process of a node with this environment. Opens nothing yet."""
    ambient = [
        name
        for name, words in AMBIENT.items()
        if any(environment.get(word) for word in words) or _has_files(name, environment)
    ]
    return Remotes(_Imported(), ambient=ambient)


def _has_files(name: str, environment: Mapping[str, str]) -> bool:
    places = (environment.get(word, usual) for word, usual in FILES.get(name, ()))
    return any(Path(place).expanduser().is_file() for place in places)
