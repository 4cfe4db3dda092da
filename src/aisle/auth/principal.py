"""Who is asking, with all that decides what they may do, as one value.

A principal is built by the store of users and kept in caches until anything in that store changes;
nothing here reads anything. Users live in accounts (tenants), and what they make belongs to the
account: its canonical id is the `Owner` that S3 shows. The user that an account was made with owns
it and may do everything in it; others may do what policies and roles give them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from aisle.auth.policy.document import Policy

# A bucket as roles name it: name, provider, namespace.
BucketId = tuple[str, str, str]


@dataclass(frozen=True, slots=True, eq=False)
class Principal:
    """A user, a session of one, or a stranger.

    `name` is the user's, which no two users of a store share; `display` and `canonical` are the
    account's; `names` are all that a policy's Principal may call it by: ARNs, account and canonical
    ids, but not `*`. `admin` may do everything in the cluster, `owner` everything in its account.
    `bits` are what roles grant in the whole cluster, `bucket_bits` on single buckets. A `session`
    is limited to what its policy allows. `session_name` tells sessions of one user apart. `id` is
    what IAM shows as the id of the user, of the account for the administrator, and of the role for
    who has assumed one.
    """

    name: str
    account: str
    canonical: str
    display: str
    arn: str
    names: frozenset[str]
    access_key: str = ""
    admin: bool = False
    owner: bool = False
    anonymous: bool = False
    policies: tuple[Policy, ...] = ()
    session: Policy | None = None
    session_name: str = ""
    temporary: bool = False
    bits: int = 0
    bucket_bits: Mapping[BucketId, int] = field(default_factory=dict)
    id: str = ""

    @property
    def user_id(self) -> str:
        """Who asks, as GetCallerIdentity tells it: an id that is never used again, and behind a
        colon the name of the session."""
        known = self.id or self.name
        return f"{known}:{self.session_name}" if self.session_name else known

    @property
    def role(self) -> str:
        """The role that was assumed, `""` if none was."""
        return self.arn.partition(":assumed-role/")[2].partition("/")[0]


ANONYMOUS: Final = Principal("", "", "", "", "", frozenset(), anonymous=True)
