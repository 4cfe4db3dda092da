"""Forms that no client would send, and the errors that come back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.harness import REGION, Reply
from tests.people import Person

FORM = "application/x-www-form-urlencoded; charset=utf-8"
VERSIONS = {"iam": "2010-05-08", "sts": "2011-06-15"}


def post(who: Person, service: str, body: bytes | Mapping[str, str], **sending: Any) -> Reply:
    """Send one form, signed by botocore but otherwise as it is given."""
    if isinstance(body, Mapping):
        body = urlencode({"Version": VERSIONS[service], **body}).encode()
    target = sending.pop("target", "/")
    request = AWSRequest(
        "POST",
        f"{who.node.root}{target}",
        headers={"Content-Type": sending.pop("kind", FORM)},
        data=body,
    )
    keys = Credentials(who.access_key, who.secret_key, who.token or None)
    SigV4Auth(keys, service, REGION).add_auth(request)
    fields = {str(name): str(value) for name, value in request.headers.items()}
    fields = {name: text for name, text in fields.items() if name != "Content-Length"}
    return who.node.send("POST", target, headers=fields, body=body, signed=False)


def error_of(reply: Reply) -> str:
    """The code of an error, in the form that both services have for it."""
    root = reply.xml
    assert root.tag == "ErrorResponse", reply.body
    assert root.findtext("RequestId"), reply.body
    assert root.findtext("Error/Message"), reply.body
    assert root.findtext("Error/Type") == ("Sender" if reply.status < 500 else "Receiver")
    return root.findtext("Error/Code") or ""
