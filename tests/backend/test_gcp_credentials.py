"""Credentials of provider `gcp`: where they are found, and tokens from a token service."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qs

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from google.oauth2.credentials import Credentials as UserCredentials

from aisle.backend.gcp.credentials import Tokens, load, path_of
from aisle.core.errors import RemoteDenied, RemoteUnavailable
from tests.store.conftest import Run


class TokenService(BaseHTTPRequestHandler):
    """Google's token endpoint as far as clients see it."""

    status: ClassVar[int] = 200
    asked: ClassVar[list[dict[str, list[str]]]] = []

    def do_POST(self) -> None:
        size = int(self.headers["content-length"])
        self.asked.append(parse_qs(self.rfile.read(size).decode()))
        good = {"access_token": f"token-{len(self.asked)}", "expires_in": 3600}
        body = json.dumps(good if self.status == 200 else {"error": "invalid_grant"}).encode()
        self.send_response(self.status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None: ...


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), TokenService)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/token"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(autouse=True)
def fresh() -> None:
    TokenService.status = 200
    TokenService.asked.clear()


@pytest.fixture(scope="module")
def key() -> str:
    made = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


@pytest.fixture
def account(endpoint: str, key: str, tmp_path: Path) -> Path:
    """The file of a service account."""
    return write(
        tmp_path,
        {
            "type": "service_account",
            "project_id": "my-project",
            "client_email": "me@my-project.iam.gserviceaccount.com",
            "private_key": key,
            "token_uri": endpoint,
        },
    )


def write(directory: Path, info: Any) -> Path:
    path = directory / "credentials.json"
    path.write_text(info if isinstance(info, str) else json.dumps(info))
    return path


def test_a_service_account_gets_a_token_once(account: Path, run: Run) -> None:
    tokens = Tokens(account)

    async def many() -> list[Any]:
        return await asyncio.gather(*[tokens.header("gcp://b") for _ in range(10)])

    assert run(many()) == [{"authorization": "Bearer token-1"}] * 10
    assert len(TokenService.asked) == 1
    assert run(tokens.project("gcp://b")) == "my-project"


def test_a_user_is_read(tmp_path: Path) -> None:
    info = {
        "type": "authorized_user",
        "client_id": "id",
        "client_secret": "secret",
        "refresh_token": "refresh",
    }
    credentials, project = load(write(tmp_path, info))
    assert isinstance(credentials, UserCredentials)
    assert credentials.refresh_token == "refresh"
    assert project == ""


def test_a_young_token_that_is_refused_is_not_fetched_again(account: Path, run: Run) -> None:
    tokens = Tokens(account)
    run(tokens.header("gcp://b"))
    assert not tokens.refused()
    assert not Tokens(None).refused()


def test_credentials_that_are_refused_are_told(account: Path, run: Run) -> None:
    TokenService.status = 400
    with pytest.raises(RemoteDenied, match="refused the credentials"):
        run(Tokens(account).header("gcp://b"))


def test_a_token_service_that_is_away_is_told(
    endpoint: str, account: Path, tmp_path: Path, run: Run
) -> None:
    info = {**json.loads(account.read_text()), "token_uri": "http://127.0.0.1:1/token"}
    with pytest.raises(RemoteUnavailable, match="does not answer"):
        run(Tokens(write(tmp_path, info)).header("gcp://b"))


@pytest.mark.parametrize(
    "info",
    [
        "hush",
        [],
        {},
        {"type": "service_account", "private_key": "hush"},
        {"type": "service_account", "private_key": "hush", "client_email": "x", "token_uri": "y"},
        {"type": "authorized_user", "client_secret": "hush"},
        {"type": "external_account", "audience": "hush"},
        {"type": "impersonated_service_account", "source_credentials": "hush"},
        {"type": "gdch_service_account", "private_key": "hush"},
        {"type": 7},
    ],
)
def test_a_file_that_is_none_is_told_without_what_is_in_it(
    tmp_path: Path, run: Run, info: Any
) -> None:
    path = write(tmp_path, info)
    with pytest.raises(ValueError, match="credentials file") as refused:
        load(path)
    assert "hush" not in str(refused.value)
    with pytest.raises(RemoteDenied, match="credentials file"):
        run(Tokens(path).header("gcp://b"))


def test_a_file_that_is_not_there_is_told(tmp_path: Path, run: Run) -> None:
    with pytest.raises(RemoteDenied, match="No such file"):
        run(Tokens(tmp_path / "absent.json").header("gcp://b"))


def test_credentials_are_looked_for_in_order(tmp_path: Path) -> None:
    known = tmp_path / "application_default_credentials.json"
    environment = {"CLOUDSDK_CONFIG": str(tmp_path), "GOOGLE_APPLICATION_CREDENTIALS": "/named"}
    assert path_of("/setting", environment) == Path("/setting")
    assert path_of("", environment) == Path("/named")
    del environment["GOOGLE_APPLICATION_CREDENTIALS"]
    assert path_of("", environment) is None
    known.write_text("{}")
    assert path_of("", environment) == known
    config = tmp_path / ".config" / "gcloud"
    config.mkdir(parents=True)
    (config / known.name).write_text("{}")
    assert path_of("", {"HOME": str(tmp_path)}) == config / known.name


def test_without_credentials_requests_are_anonymous(run: Run) -> None:
    tokens = Tokens(None)
    assert tokens.anonymous
    assert run(tokens.header("gcp://b")) == {}
