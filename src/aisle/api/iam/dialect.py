"""The pipeline of IAM and STS: read the form, route, authenticate, check it, call the handler.

A request says what it wants in its body, which its signature covers, so the body is read first, up
to a limit. Requests that nobody signed are refused even where authentication is off: no client
sends them, but any page in a browser could.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from aisle.api.access import count_user, identify
from aisle.api.base import Context, Response, Service, read_all
from aisle.api.iam import account, credentials, errors, keys, passwords, policies, query, sts, users
from aisle.api.iam.errors import IamError
from aisle.api.iam.operations import IAM, NAMESPACES, OPERATIONS, VERSIONS, Operation
from aisle.api.iam.query import Form
from aisle.api.iam.xml import Result, document, element
from aisle.core.errors import AisleError

NAME: Final = "iam"
MAX_BODY: Final = 64 << 10
_SIGNATURE: Final = "X-Amz-"
# Parameters that tell what a request is about, for the audit log.
_ABOUT: Final = ("UserName", "RoleArn", "AccessKeyId")

Handler = Callable[[Service, Context, Form], Awaitable[Result | None]]

HANDLERS: Final[Mapping[str, Handler]] = {
    "CreateUser": users.create_user,
    "GetUser": users.get_user,
    "ListUsers": users.list_users,
    "UpdateUser": users.update_user,
    "DeleteUser": users.delete_user,
    "TagUser": users.tag_user,
    "UntagUser": users.untag_user,
    "ListUserTags": users.list_user_tags,
    "CreateAccessKey": keys.create_access_key,
    "ListAccessKeys": keys.list_access_keys,
    "UpdateAccessKey": keys.update_access_key,
    "DeleteAccessKey": keys.delete_access_key,
    "GetAccessKeyLastUsed": keys.get_access_key_last_used,
    "PutUserPolicy": policies.put_user_policy,
    "GetUserPolicy": policies.get_user_policy,
    "ListUserPolicies": policies.list_user_policies,
    "DeleteUserPolicy": policies.delete_user_policy,
    "ListAttachedUserPolicies": policies.list_attached_user_policies,
    "ListGroupsForUser": policies.list_groups_for_user,
    "ListMFADevices": credentials.list_mfa_devices,
    "ListSSHPublicKeys": credentials.list_ssh_public_keys,
    "ListServiceSpecificCredentials": credentials.list_service_specific_credentials,
    "ListSigningCertificates": credentials.list_signing_certificates,
    "ListVirtualMFADevices": credentials.list_virtual_mfa_devices,
    "CreateLoginProfile": passwords.create_login_profile,
    "GetLoginProfile": passwords.get_login_profile,
    "UpdateLoginProfile": passwords.update_login_profile,
    "DeleteLoginProfile": passwords.delete_login_profile,
    "ChangePassword": passwords.change_password,
    "GetAccountSummary": account.get_account_summary,
    "ListAccountAliases": account.list_account_aliases,
    "GetCallerIdentity": sts.get_caller_identity,
    "GetSessionToken": sts.get_session_token,
    "AssumeRole": sts.assume_role,
    "AssumeRoleWithWebIdentity": sts.assume_role_with_web_identity,
    "GetAccessKeyInfo": sts.get_access_key_info,
}


async def handle(svc: Service, ctx: Context) -> Response:
    """Answer one request. Raises `AisleError`s."""
    body, parameters = await _read(ctx)
    operation = _route(parameters)
    ctx.operation = operation.name
    ctx.resource = next((parameters[name] for name in _ABOUT if parameters.get(name)), "")
    if ctx.head.method == "GET" and not operation.open:
        raise IamError("ValidationError", f"{operation.name} must be sent as a POST.")
    if not operation.unsigned:
        digest = hashlib.sha256(body).hexdigest()
        await identify(svc, ctx, service=operation.service, digest=digest)
        if ctx.anonymous:
            raise IamError("MissingAuthenticationToken", "Request is missing Authentication Token")
        count_user(svc, ctx)
    if not operation.served:
        raise IamError("NotImplemented", f"{operation.name} is not supported here.")
    form = query.check(parameters, operation)
    result = await HANDLERS[operation.name](svc, ctx, form)
    inner = "" if result is None else element(f"{operation.name}Result", result)
    namespace = NAMESPACES[operation.service]
    told = document(f"{operation.name}Response", namespace, inner, ctx.request_id)
    return Response(200, _headers(ctx), told)


async def _read(ctx: Context) -> tuple[bytes, Mapping[str, str]]:
    """The body of a request, and its parameters without those of a signature."""
    body = await read_all(ctx.body, MAX_BODY)
    if body is None:
        raise IamError("RequestEntityTooLarge", f"The body has more than {MAX_BODY} bytes.")
    if ctx.head.method == "POST":
        if ctx.head.query:
            raise IamError("MalformedQueryString", "Parameters of a POST are to be in its body.")
        return body, query.read(body)
    pairs = query.read(ctx.head.query)
    return body, {name: text for name, text in pairs.items() if not name.startswith(_SIGNATURE)}


def _route(parameters: Mapping[str, str]) -> Operation:
    action, version = parameters.get("Action"), parameters.get("Version")
    if not action:
        raise IamError("MissingAction", "The request must have an Action.")
    operation = OPERATIONS.get(action)
    if operation is None or version != VERSIONS[operation.service]:
        raise IamError("InvalidAction", "There is no such Action in this Version of the API.")
    return operation


def tell(ctx: Context, error: AisleError) -> Response:
    """The reply that tells an error."""
    told = errors.tell(error)
    operation = OPERATIONS.get(ctx.operation)
    namespace = NAMESPACES[operation.service if operation is not None else IAM]
    body = errors.render(told, namespace=namespace, request_id=ctx.request_id)
    return Response(told.status, _headers(ctx), body, error=told.code)


def _headers(ctx: Context) -> list[tuple[bytes, bytes]]:
    return [
        (b"content-type", b"text/xml"),
        (b"x-amzn-requestid", ctx.request_id.encode()),
        # Replies may hold secrets.
        (b"cache-control", b"no-store"),
    ]
