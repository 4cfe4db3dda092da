"""THE table of IAM and STS operations: all that botocore's models have, and what is served of them.

A served operation names the parameters that it takes: one that it does not have is refused rather
than dropped, because a client that asks for a permissions boundary must not believe it has one.
What is only named is answered with `NotImplemented`. Only the table lives here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

IAM: Final = "iam"
STS: Final = "sts"
VERSIONS: Final = {IAM: "2010-05-08", STS: "2011-06-15"}
NAMESPACES: Final = {
    service: f"https://{service}.amazonaws.com/doc/{version}/"
    for service, version in VERSIONS.items()
}


class Operation(NamedTuple):
    """A row. `takes` are the parameters of a served operation, by the names of the model, `needs`
    those of them that must be there. One that is `open` changes nothing, and so may come as a GET;
    one that is `unsigned` proves who sends it in a parameter.
    """

    name: str
    service: str
    served: bool
    takes: frozenset[str] = frozenset()
    needs: frozenset[str] = frozenset()
    open: bool = False
    unsigned: bool = False


def _served(
    service: str, name: str, takes: str = "", *, open: bool = False, unsigned: bool = False
) -> Operation:
    names = [(word.removesuffix("!"), word.endswith("!")) for word in takes.split()]
    needs = frozenset(word for word, needed in names if needed)
    taken = frozenset(word for word, _ in names)
    return Operation(name, service, True, taken, needs, open, unsigned)


_PAGE: Final = "Marker MaxItems"
SERVED: Final = (
    _served(IAM, "CreateUser", "UserName! Path Tags"),
    _served(IAM, "GetUser", "UserName"),
    _served(IAM, "ListUsers", f"PathPrefix {_PAGE}"),
    _served(IAM, "UpdateUser", "UserName! NewPath NewUserName"),
    _served(IAM, "DeleteUser", "UserName!"),
    _served(IAM, "TagUser", "UserName! Tags!"),
    _served(IAM, "UntagUser", "UserName! TagKeys!"),
    _served(IAM, "ListUserTags", f"UserName! {_PAGE}"),
    _served(IAM, "CreateAccessKey", "UserName"),
    _served(IAM, "ListAccessKeys", f"UserName {_PAGE}"),
    _served(IAM, "UpdateAccessKey", "UserName AccessKeyId! Status!"),
    _served(IAM, "DeleteAccessKey", "UserName AccessKeyId!"),
    _served(IAM, "GetAccessKeyLastUsed", "AccessKeyId!"),
    _served(IAM, "PutUserPolicy", "UserName! PolicyName! PolicyDocument!"),
    _served(IAM, "GetUserPolicy", "UserName! PolicyName!"),
    _served(IAM, "ListUserPolicies", f"UserName! {_PAGE}"),
    _served(IAM, "DeleteUserPolicy", "UserName! PolicyName!"),
    _served(IAM, "CreateLoginProfile", "UserName Password PasswordResetRequired"),
    _served(IAM, "UpdateLoginProfile", "UserName! Password PasswordResetRequired"),
    _served(IAM, "DeleteLoginProfile", "UserName"),
    _served(IAM, "GetLoginProfile", "UserName"),
    _served(IAM, "ChangePassword", "OldPassword! NewPassword!"),
    _served(IAM, "ListAttachedUserPolicies", f"UserName! PathPrefix {_PAGE}"),
    _served(IAM, "ListGroupsForUser", f"UserName! {_PAGE}"),
    _served(IAM, "ListMFADevices", f"UserName {_PAGE}"),
    _served(IAM, "ListSSHPublicKeys", f"UserName {_PAGE}"),
    _served(IAM, "ListServiceSpecificCredentials", f"UserName ServiceName {_PAGE}"),
    _served(IAM, "ListSigningCertificates", f"UserName {_PAGE}"),
    _served(IAM, "ListVirtualMFADevices", f"AssignmentStatus {_PAGE}"),
    _served(IAM, "GetAccountSummary"),
    _served(IAM, "ListAccountAliases", _PAGE),
    _served(STS, "GetCallerIdentity", open=True),
    _served(STS, "GetSessionToken", "DurationSeconds"),
    _served(STS, "AssumeRole", "RoleArn! RoleSessionName! DurationSeconds Policy"),
    _served(STS, "GetAccessKeyInfo", "AccessKeyId!"),
    _served(
        STS,
        "AssumeRoleWithWebIdentity",
        "RoleArn! RoleSessionName! WebIdentityToken! DurationSeconds Policy",
        unsigned=True,
    ),
)
_REFUSED: Final = {
    IAM: """
        AcceptDelegationRequest AcquireRole AddClientIDToOpenIDConnectProvider
        AddRoleToInstanceProfile AddUserToGroup AssociateDelegationRequest AttachGroupPolicy
        AttachRolePolicy AttachUserPolicy CreateAccountAlias CreateDelegationRequest
        CreateGroup CreateInstanceProfile CreateOpenIDConnectProvider CreatePolicy
        CreatePolicyVersion CreateRole CreateSAMLProvider CreateServiceLinkedRole
        CreateServiceSpecificCredential CreateVirtualMFADevice DeactivateMFADevice
        DeleteAccountAlias DeleteAccountPasswordPolicy DeleteGroup DeleteGroupPolicy
        DeleteInstanceProfile DeleteOpenIDConnectProvider DeletePolicy DeletePolicyVersion
        DeleteRole DeleteRolePermissionsBoundary DeleteRolePolicy DeleteSAMLProvider
        DeleteSSHPublicKey DeleteServerCertificate DeleteServiceLinkedRole
        DeleteServiceSpecificCredential DeleteSigningCertificate
        DeleteUserPermissionsBoundary DeleteVirtualMFADevice DetachGroupPolicy
        DetachRolePolicy DetachUserPolicy DisableOrganizationsRootCredentialsManagement
        DisableOrganizationsRootSessions DisableOutboundWebIdentityFederation
        EnableMFADevice EnableOrganizationsRootCredentialsManagement
        EnableOrganizationsRootSessions EnableOutboundWebIdentityFederation
        GenerateCredentialReport GenerateOrganizationsAccessReport
        GenerateServiceLastAccessedDetails GetAccountAuthorizationDetails
        GetAccountPasswordPolicy GetAccountProperties GetContextKeysForCustomPolicy
        GetContextKeysForPrincipalPolicy GetCredentialReport GetDelegationRequest GetGroup
        GetGroupPolicy GetHumanReadableSummary GetInstanceProfile GetMFADevice
        GetOpenIDConnectProvider GetOrganizationsAccessReport
        GetOutboundWebIdentityFederationInfo GetPolicy GetPolicyVersion GetRole
        GetRolePolicy GetRoleTemplateVersion GetSAMLProvider GetSSHPublicKey
        GetServerCertificate GetServiceLastAccessedDetails
        GetServiceLastAccessedDetailsWithEntities GetServiceLinkedRoleDeletionStatus
        ListAttachedGroupPolicies ListAttachedRolePolicies ListDelegationRequests
        ListEntitiesForPolicy ListGroupPolicies ListGroups ListInstanceProfileTags
        ListInstanceProfiles ListInstanceProfilesForRole ListMFADeviceTags
        ListOpenIDConnectProviderTags ListOpenIDConnectProviders ListOrganizationsFeatures
        ListPolicies ListPoliciesGrantingServiceAccess ListPolicyTags ListPolicyVersions
        ListRolePolicies ListRoleTags ListRoles ListSAMLProviderTags ListSAMLProviders
        ListServerCertificateTags ListServerCertificates PutAccountProperties PutGroupPolicy
        PutRolePermissionsBoundary PutRolePolicy
        PutUserPermissionsBoundary RejectDelegationRequest
        RemoveClientIDFromOpenIDConnectProvider RemoveRoleFromInstanceProfile
        RemoveUserFromGroup ResetServiceSpecificCredential ResyncMFADevice
        SendDelegationToken SetDefaultPolicyVersion SetSecurityTokenServicePreferences
        SimulateCustomPolicy SimulatePrincipalPolicy TagInstanceProfile TagMFADevice
        TagOpenIDConnectProvider TagPolicy TagRole TagSAMLProvider TagServerCertificate
        UntagInstanceProfile UntagMFADevice UntagOpenIDConnectProvider UntagPolicy UntagRole
        UntagSAMLProvider UntagServerCertificate UpdateAccountPasswordPolicy
        UpdateAssumeRolePolicy UpdateDelegationRequest UpdateGroup
        UpdateOpenIDConnectProviderThumbprint UpdateRole UpdateRoleDescription
        UpdateSAMLProvider UpdateSSHPublicKey UpdateServerCertificate
        UpdateServiceSpecificCredential UpdateSigningCertificate UploadSSHPublicKey
        UploadServerCertificate UploadSigningCertificate
    """,
    STS: """
        AssumeRoleWithSAML AssumeRoot DecodeAuthorizationMessage GetDelegatedAccessToken
        GetFederationToken GetWebIdentityToken
    """,
}

OPERATIONS: Final[Mapping[str, Operation]] = {
    **{row.name: row for row in SERVED},
    **{
        name: Operation(name, service, False)
        for service, names in _REFUSED.items()
        for name in names.split()
    },
}
