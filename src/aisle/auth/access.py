"""May this principal do this? The one place that decides, for every dialect.

`decide` is a pure function over values: who asks (`Principal`), for what (`Action`), where
(`BucketAccess`: what a bucket says of its own access), and under which circumstances
(`Conditions`, which it asks only if a policy does). It reads no store and no request.

What it puts together, an explicit deny winning over everything:

* the bucket's policy, policies of the user and of the user's session;
* ACLs of the bucket, and of the object if `decide` answers OBJECT and is asked again with it;
* ownership controls and public-access block;
* AIStore's permissions: those of roles allow, a bucket's `access` bits leave open or close.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final, NamedTuple, Protocol

from aisle.auth.acl import IN_BUCKET, IN_OBJECT, Grant, allows, unless_public
from aisle.auth.policy.actions import KINDS, Kind
from aisle.auth.policy.document import Policy
from aisle.auth.policy.evaluate import Question
from aisle.auth.policy.public import is_public
from aisle.auth.principal import BucketId, Principal
from aisle.core.permissions import ACCESS_ALL, HEAD_BUCKET, PATCH, SET_BUCKET_ACL

# The account of the administrator, and the ownership with which there are no ACLs.
ROOT_ACCOUNT: Final = "000000000000"
ENFORCED: Final = "BucketOwnerEnforced"

_NATIVE: Final = "ais:"
# What an administrator can do to a bucket however closed it is, or nobody could open it again.
_ALWAYS_OPEN: Final = HEAD_BUCKET | PATCH | SET_BUCKET_ACL
_OF_POLICIES: Final = frozenset(
    {"s3:GetBucketPolicy", "s3:PutBucketPolicy", "s3:DeleteBucketPolicy"}
)
# What is done to an object that is there, and is up to the account that owns the object. Deleting,
# restoring, and locks, which keep from deleting, are not: all of that is up to the bucket's owner,
# whoever has written the object.
_OF_OBJECTS: Final = frozenset({
    *IN_OBJECT, "s3:GetObjectTagging", "s3:GetObjectVersionTagging", "s3:PutObjectTagging",
    "s3:PutObjectVersionTagging", "s3:DeleteObjectTagging", "s3:DeleteObjectVersionTagging",
    "s3:GetObjectTorrent", "s3:GetObjectVersionTorrent", "s3:UpdateObjectEncryption",
})  # fmt: skip
# What is done to an upload in parts, and is up to who began it as well.
OF_UPLOADS: Final = frozenset({"s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"})


class Action(NamedTuple):
    """What an operation needs: S3's name for it (`s3:GetObject`) and AIStore's permission bit.

    What only the native API has is called `ais:...`, and no policy of a bucket grants it.
    """

    name: str
    bit: int


class Decision(Enum):
    """OBJECT: nothing denies it and nothing but the object's own ACL or owner can allow it."""

    ALLOW = auto()
    DENY = auto()
    OBJECT = auto()


class PublicAccessBlock(NamedTuple):
    """The four switches of S3's PublicAccessBlockConfiguration."""

    block_acls: bool = False
    ignore_acls: bool = False
    block_policy: bool = False
    restrict_buckets: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class BucketAccess:
    """What a bucket says of its own access.

    `owner` is the canonical id of the account that owns it.
    `acl` is `None` for the default, in which the owner alone has everything. `ownership` is S3's
    ObjectOwnership, `""` while none is set: ACLs count then, and objects belong to their writers.
    `bits` is AIStore's `access` mask. `shared` tells that other accounts may own objects in it.
    """

    id: BucketId
    owner: str
    bits: int = ACCESS_ALL
    policy: Policy | None = None
    acl: Sequence[Grant] | None = None
    ownership: str = ""
    block: PublicAccessBlock = field(default_factory=PublicAccessBlock)
    shared: bool = False


class ObjectAccess(NamedTuple):
    """What an object says of its own access; `acl` is `None` for the default.

    Of one that is about to be written, `settled` tells that the ACL which is asked for is what it
    will have anyway. Of an upload in parts, `by` is the ARN of the user that began it.
    """

    owner: str
    acl: Sequence[Grant] | None
    settled: bool = False
    by: str = ""


class Conditions(Protocol):
    """The circumstances of a request, asked for one condition key at a time."""

    def get(self, key: str) -> tuple[str, ...] | None:
        """The values of a condition key (in lower case: `aws:sourceip`), `None` if it has none."""
        ...


def decide(
    principal: Principal,
    action: Action,
    access: BucketAccess | None,
    conditions: Conditions,
    *,
    resource: str,
    target: ObjectAccess | None = None,
    whole: bool = False,
) -> Decision:
    """Whether `principal` may do `action` to `resource` (`arn:aws:s3:::bucket/key`).

    `access` is `None` where no bucket is meant, or none that exists yet. `target` is the object
    that is there, where it was read: without it the answer may be OBJECT. With `whole` the question
    is about everything in the bucket at once, as a job needs it: an Allow must cover all of it and
    a Deny counts if it could match any of it. `resource` is the bucket's ARN then, or an ARN with
    which everything meant begins. What `conditions` raises is passed on.
    """
    plain = plainly(principal, action, access)
    if plain is not None:
        return plain
    return _Case(principal, action, access, conditions, resource, target, whole).decide()


def plainly(principal: Principal, action: Action, access: BucketAccess | None) -> Decision | None:
    """The answer of `decide` where neither what exactly is meant nor the circumstances matter;
    `None` where they may. All that a bucket's owner asks usually ends here."""
    policy = None
    if access is not None:
        closed = action.bit & ~access.bits
        if closed and (not principal.admin or closed & ~_ALWAYS_OPEN):
            return Decision.DENY
        policy = access.policy
    if policy is None and principal.session is None and not principal.policies:
        if principal.admin:
            return Decision.ALLOW
        if (
            access is not None
            and principal.owner
            and principal.canonical == access.owner
            and not access.shared
        ):
            return Decision.ALLOW
    return None


class _Case:
    """One question to `decide` that needs more than a look."""

    __slots__ = (
        "_access",
        "_action",
        "_conditions",
        "_principal",
        "_question",
        "_same",
        "_target",
        "_whole",
    )

    def __init__(
        self,
        principal: Principal,
        action: Action,
        access: BucketAccess | None,
        conditions: Conditions,
        resource: str,
        target: ObjectAccess | None,
        whole: bool,
    ) -> None:
        many = whole and KINDS.get(action.name.lower(), Kind.OBJECT) is Kind.OBJECT
        if many and "/" not in resource:
            resource += "/"
        self._principal = principal
        self._action = action
        self._access = access
        self._target = target
        self._whole = many
        self._conditions = conditions
        self._same = (
            access is not None and not principal.anonymous and principal.canonical == access.owner
        )
        self._question = Question(
            principal.names,
            action.name,
            resource,
            self._value,
            many=many,
        )

    def decide(self) -> Decision:
        principal = self._principal
        if self._denied():
            return Decision.DENY
        if principal.session and not self._question.allowed_by((principal.session,)):
            return Decision.DENY
        if principal.admin or self._has_role():
            return Decision.ALLOW
        if self._access is None:
            return _answer(self._cluster())
        return self._bucket(self._access)

    def _value(self, key: str) -> tuple[str, ...] | None:
        who = _WHO.get(key)
        if who is None:
            return self._conditions.get(key)
        value = who(self._principal)
        return (value,) if value else None

    # What forbids.

    def _denied(self) -> bool:
        principal, access = self._principal, self._access
        if principal.policies and self._question.denied_by(principal.policies):
            return True
        if principal.session and self._question.denied_by((principal.session,)):
            return True
        if access is None or access.policy is None:
            return False
        if self._action.name in _OF_POLICIES and (
            principal.admin or (self._same and principal.owner)
        ):
            return False
        return self._question.denied_by((access.policy,))

    # What allows.

    def _has_role(self) -> bool:
        principal, bit = self._principal, self._action.bit
        bits = principal.bits
        if self._access is not None:
            bits |= principal.bucket_bits.get(self._access.id, 0)
        return bit != 0 and bits & bit == bit

    def _by_identity(self) -> bool:
        """The principal's own side of it: it owns its account, or a policy of its user allows."""
        policies = self._principal.policies
        return self._principal.owner or (bool(policies) and self._question.allowed_by(policies))

    def _cluster(self) -> bool:
        """Where there is no bucket. What concerns the cluster alone (`ais:...`) no policy can give
        but those of the administrators' own account: others write policies for themselves."""
        if self._action.name.startswith(_NATIVE) and self._principal.account != ROOT_ACCOUNT:
            return False
        return self._by_identity()

    def _bucket(self, access: BucketAccess) -> Decision:
        if access.ownership != ENFORCED and self._action.name in _OF_OBJECTS:
            target = self._target
            # The first object of another account is written before the bucket is known as shared.
            if target is not None and target.owner != access.owner:
                return _answer(self._foreign(access, target))
            if access.shared and self._whole:
                return Decision.DENY
            if access.shared and target is None:
                return Decision.OBJECT
        own = self._by_identity()
        if self._same and own:
            return Decision.ALLOW
        # Of another account both sides must allow, of the same account either may.
        if not (own or self._same or self._principal.anonymous):
            return Decision.DENY
        if self._action.name.startswith(_NATIVE):
            return Decision.DENY
        if self._by_policy(access):
            return Decision.ALLOW
        if self._action.name in OF_UPLOADS and not self._whole:
            return self._by_beginning(access, own)
        return self._by_acl(access, own)

    def _by_policy(self, access: BucketAccess) -> bool:
        policy = access.policy
        if policy is None or not self._question.allowed_by((policy,)):
            return False
        return self._same or not (access.block.restrict_buckets and is_public(policy))

    def _by_beginning(self, access: BucketAccess, own: bool) -> Decision:
        """Who began an upload may list its parts and end it, and so may that user's account."""
        decision = self._by_acl(access, own)
        if decision is Decision.ALLOW or self._principal.anonymous:
            return decision
        if self._target is None:
            return Decision.OBJECT
        by = self._target.by
        return _answer(by == self._principal.arn or (own and f"::{self._principal.account}:" in by))

    def _by_acl(self, access: BucketAccess, own: bool) -> Decision:
        """Where ACLs do not count, the account that writes an object may still say the one that
        is taken there; its handler refuses all others."""
        name, enforced = self._action.name, access.ownership == ENFORCED
        permission = None if enforced else IN_BUCKET.get(name)
        if permission is not None and self._granted(access, access.acl, permission, own):
            return Decision.ALLOW
        permission = IN_OBJECT.get(name)
        if permission is None or self._whole or (enforced and permission != "WRITE_ACP"):
            return Decision.DENY
        target = self._target
        if target is not None:
            return _answer(target.settled or self._granted(access, target.acl, permission, own))
        if enforced or (access.block.ignore_acls and not own):
            return Decision.DENY
        return Decision.OBJECT

    def _foreign(self, access: BucketAccess, target: ObjectAccess) -> bool:
        """An object that another account owns than the bucket's: its ACL alone is asked."""
        own = self._by_identity()
        if own and not self._principal.anonymous and target.owner == self._principal.canonical:
            return True
        mine = target.owner == self._principal.canonical
        permission = IN_OBJECT.get(self._action.name)
        if permission is None or not (own or mine or self._principal.anonymous):
            return False
        return self._granted(access, target.acl, permission, own)

    def _granted(
        self,
        access: BucketAccess,
        grants: Sequence[Grant] | None,
        permission: str,
        own: bool,
    ) -> bool:
        """Whether an ACL gives a permission. A grant to an account is one to its owner, and to
        whom policies of the account pass it on; those to groups are to everybody."""
        if grants is None:
            return False
        if access.block.ignore_acls:
            grants = unless_public(grants)
        if not own:
            grants = [grant for grant in grants if grant.kind == "group"]
        return allows(grants, self._principal, permission)


def _answer(allowed: bool) -> Decision:
    return Decision.ALLOW if allowed else Decision.DENY


def _arn(principal: Principal) -> str:
    """The ARN of who asks, which of a session in a role is the role's."""
    role = principal.role
    return f"arn:aws:iam::{principal.account}:role/{role}" if role else principal.arn


def _type(principal: Principal) -> str:
    if principal.anonymous:
        return "Anonymous"
    if principal.role:
        return "AssumedRole"
    return "Account" if principal.owner else "User"


# The condition keys that say who asks, as IAM's table of principals has them; strangers have none
# that would be empty, and who has assumed a role has the role's in the place of the user's.
_WHO: Final[dict[str, Callable[[Principal], str]]] = {
    "aws:username": lambda principal: "" if principal.role else principal.name,
    "aws:userid": lambda principal: "anonymous" if principal.anonymous else principal.user_id,
    "aws:principalarn": _arn,
    "aws:principalaccount": lambda principal: principal.account,
    "aws:principaltype": _type,
    "aws:principalisawsservice": lambda principal: "false",
}
