"""Lists of IAM of kinds of credentials that users have at Amazon and never have here.

They are empty, and are told because clients go through them before they delete a user: Terraform
does where it is told to `force_destroy`.
"""

from __future__ import annotations

from aisle.api.base import Context, Service
from aisle.api.iam import shown
from aisle.api.iam.access import require, the_user
from aisle.api.iam.query import Form
from aisle.api.iam.xml import Result


async def list_mfa_devices(svc: Service, ctx: Context, form: Form) -> Result:
    """ListMFADevices."""
    return await _none_of_a_user(svc, ctx, form, "MFADevices")


async def list_ssh_public_keys(svc: Service, ctx: Context, form: Form) -> Result:
    """ListSSHPublicKeys."""
    return await _none_of_a_user(svc, ctx, form, "SSHPublicKeys")


async def list_service_specific_credentials(svc: Service, ctx: Context, form: Form) -> Result:
    """ListServiceSpecificCredentials."""
    return await _none_of_a_user(svc, ctx, form, "ServiceSpecificCredentials")


async def list_signing_certificates(svc: Service, ctx: Context, form: Form) -> Result:
    """ListSigningCertificates."""
    return await _none_of_a_user(svc, ctx, form, "Certificates")


async def list_virtual_mfa_devices(svc: Service, ctx: Context, form: Form) -> Result:
    """ListVirtualMFADevices: those of an account."""
    require(svc, ctx, f"arn:aws:iam::{ctx.who.account}:mfa/")
    return shown.page(form, "VirtualMFADevices", ())


async def _none_of_a_user(svc: Service, ctx: Context, form: Form, name: str) -> Result:
    """An empty list of a user, by default the caller."""
    await the_user(svc, ctx, form.get("UserName"))
    return shown.page(form, name, ())
