"""Every S3 operation that is built, as a call on a bucket that has an object and an upload, with
the actions that it needs by the names of Amazon's reference.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from tests.people import Person, policy
from tests.wire.support import begin, put_part

BODY = b"kept"


@dataclass(frozen=True)
class Scene:
    """A bucket with the object `k` and an upload of `u` that has one part."""

    bucket: str
    upload: str
    part: dict[str, Any]
    owner: str  # canonical id
    etag: str


def prepare(owner: Person, bucket: str) -> Scene:
    """Fill an empty bucket of somebody's."""
    etag = owner.s3.put_object(Bucket=bucket, Key="k", Body=BODY)["ETag"]
    upload = begin(owner.s3, bucket, "u")
    part = put_part(owner.s3, bucket, "u", upload, 1, BODY)
    return Scene(bucket, upload, part, owner.canonical, etag)


def contents(s3: Any, bucket: str) -> dict[str, Any]:
    """Everything that an operation could change, as whoever may see it sees it."""
    told = {
        "objects": s3.list_objects(Bucket=bucket).get("Contents"),
        "uploads": s3.list_multipart_uploads(Bucket=bucket).get("Uploads"),
        "acl": s3.get_bucket_acl(Bucket=bucket)["Grants"],
        "object acl": s3.get_object_acl(Bucket=bucket, Key="k")["Grants"],
        **{name: _of_bucket(s3, name, bucket) for name in DOCUMENTS},
    }
    for upload in told["uploads"] or ():
        told[upload["UploadId"]] = s3.list_parts(
            Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"]
        ).get("Parts")
    return told


DOCUMENTS = {
    "get_bucket_policy": "Policy",
    "get_public_access_block": "PublicAccessBlockConfiguration",
    "get_bucket_ownership_controls": "OwnershipControls",
}


def _of_bucket(s3: Any, name: str, bucket: str) -> Any:
    try:
        return getattr(s3, name)(Bucket=bucket)[DOCUMENTS[name]]
    except s3.exceptions.ClientError:
        return None


Call = Callable[[Any, Scene], Any]


class Operation(NamedTuple):
    """A row: what is called, and the actions it needs on the bucket and on keys in it."""

    name: str
    call: Call
    on_bucket: tuple[str, ...] = ()
    on_object: tuple[str, ...] = ()

    @property
    def actions(self) -> tuple[str, ...]:
        return self.on_bucket + self.on_object

    def statements(self, bucket: str, **more: Any) -> Iterator[dict[str, Any]]:
        """Statements that allow just this; a bucket's policy needs a `Principal` as well."""
        for actions, end in ((self.on_bucket, ""), (self.on_object, "/*")):
            if actions:
                yield {"Action": list(actions), "Resource": f"arn:aws:s3:::{bucket}{end}", **more}


def _acl(scene: Scene) -> dict[str, Any]:
    return {
        "Owner": {"ID": scene.owner},
        "Grants": [
            {
                "Grantee": {"Type": "CanonicalUser", "ID": scene.owner},
                "Permission": "FULL_CONTROL",
            }
        ],
    }


def _source(scene: Scene) -> dict[str, str]:
    return {"Bucket": scene.bucket, "Key": "k"}


BLOCK = {
    "BlockPublicAcls": True,
    "IgnorePublicAcls": False,
    "BlockPublicPolicy": False,
    "RestrictPublicBuckets": False,
}
TAGS = {"TagSet": [{"Key": "a", "Value": "b"}]}
READ, WRITE, LIST = "s3:GetObject", "s3:PutObject", "s3:ListBucket"

OPERATIONS = (
    Operation("HeadBucket", lambda s3, it: s3.head_bucket(Bucket=it.bucket), (LIST,)),
    Operation(
        "GetBucketLocation",
        lambda s3, it: s3.get_bucket_location(Bucket=it.bucket),
        ("s3:GetBucketLocation",),
    ),
    Operation("ListObjects", lambda s3, it: s3.list_objects(Bucket=it.bucket), (LIST,)),
    Operation("ListObjectsV2", lambda s3, it: s3.list_objects_v2(Bucket=it.bucket), (LIST,)),
    Operation(
        "ListMultipartUploads",
        lambda s3, it: s3.list_multipart_uploads(Bucket=it.bucket),
        ("s3:ListBucketMultipartUploads",),
    ),
    Operation(
        "GetBucketAcl", lambda s3, it: s3.get_bucket_acl(Bucket=it.bucket), ("s3:GetBucketAcl",)
    ),
    Operation(
        "PutBucketAcl",
        lambda s3, it: s3.put_bucket_acl(Bucket=it.bucket, ACL="authenticated-read"),
        ("s3:PutBucketAcl",),
    ),
    Operation(
        "PutPublicAccessBlock",
        lambda s3, it: s3.put_public_access_block(
            Bucket=it.bucket, PublicAccessBlockConfiguration=BLOCK
        ),
        ("s3:PutBucketPublicAccessBlock",),
    ),
    Operation(
        "DeletePublicAccessBlock",
        lambda s3, it: s3.delete_public_access_block(Bucket=it.bucket),
        ("s3:PutBucketPublicAccessBlock",),
    ),
    Operation(
        "PutBucketOwnershipControls",
        lambda s3, it: s3.put_bucket_ownership_controls(
            Bucket=it.bucket,
            OwnershipControls={"Rules": [{"ObjectOwnership": "ObjectWriter"}]},
        ),
        ("s3:PutBucketOwnershipControls",),
    ),
    Operation(
        "DeleteBucketOwnershipControls",
        lambda s3, it: s3.delete_bucket_ownership_controls(Bucket=it.bucket),
        ("s3:PutBucketOwnershipControls",),
    ),
    Operation(
        "GetObject", lambda s3, it: s3.get_object(Bucket=it.bucket, Key="k"), on_object=(READ,)
    ),
    Operation(
        "GetObject of a version",
        lambda s3, it: s3.get_object(Bucket=it.bucket, Key="k", VersionId="null"),
        on_object=("s3:GetObjectVersion",),
    ),
    Operation(
        "HeadObject", lambda s3, it: s3.head_object(Bucket=it.bucket, Key="k"), on_object=(READ,)
    ),
    Operation(
        "GetObjectAttributes",
        lambda s3, it: s3.get_object_attributes(
            Bucket=it.bucket, Key="k", ObjectAttributes=["ETag"]
        ),
        on_object=(READ, "s3:GetObjectAttributes"),
    ),
    Operation(
        "GetObjectAcl",
        lambda s3, it: s3.get_object_acl(Bucket=it.bucket, Key="k"),
        on_object=("s3:GetObjectAcl",),
    ),
    Operation(
        "PutObjectAcl",
        lambda s3, it: s3.put_object_acl(Bucket=it.bucket, Key="k", AccessControlPolicy=_acl(it)),
        on_object=("s3:PutObjectAcl",),
    ),
    Operation(
        "PutObject",
        lambda s3, it: s3.put_object(Bucket=it.bucket, Key="n", Body=b"new"),
        on_object=(WRITE,),
    ),
    Operation(
        "PutObject in place of another",
        lambda s3, it: s3.put_object(Bucket=it.bucket, Key="k", Body=b"new"),
        on_object=(WRITE,),
    ),
    Operation(
        "PutObject if it is what it was",
        lambda s3, it: s3.put_object(Bucket=it.bucket, Key="k", Body=b"new", IfMatch=it.etag),
        on_object=(WRITE, READ),
    ),
    Operation(
        "CopyObject",
        lambda s3, it: s3.copy_object(Bucket=it.bucket, Key="n", CopySource=_source(it)),
        on_object=(WRITE, READ),
    ),
    Operation(
        "CopyObject of a version",
        lambda s3, it: s3.copy_object(
            Bucket=it.bucket, Key="n", CopySource=_source(it) | {"VersionId": "null"}
        ),
        on_object=(WRITE, "s3:GetObjectVersion"),
    ),
    Operation(
        "DeleteObject",
        lambda s3, it: s3.delete_object(Bucket=it.bucket, Key="k"),
        on_object=("s3:DeleteObject",),
    ),
    Operation(
        "DeleteObject of a version",
        lambda s3, it: s3.delete_object(Bucket=it.bucket, Key="k", VersionId="null"),
        on_object=("s3:DeleteObjectVersion",),
    ),
    Operation(
        "DeleteObject if it is what it was",
        lambda s3, it: s3.delete_object(Bucket=it.bucket, Key="k", IfMatch=it.etag),
        on_object=("s3:DeleteObject", READ),
    ),
    Operation(
        "CreateMultipartUpload",
        lambda s3, it: s3.create_multipart_upload(Bucket=it.bucket, Key="n"),
        on_object=(WRITE,),
    ),
    Operation(
        "UploadPart",
        lambda s3, it: put_part(s3, it.bucket, "u", it.upload, 2, b"more"),
        on_object=(WRITE,),
    ),
    Operation(
        "UploadPartCopy",
        lambda s3, it: s3.upload_part_copy(
            Bucket=it.bucket, Key="u", UploadId=it.upload, PartNumber=2, CopySource=_source(it)
        ),
        on_object=(WRITE, READ),
    ),
    Operation(
        "ListParts",
        lambda s3, it: s3.list_parts(Bucket=it.bucket, Key="u", UploadId=it.upload),
        on_object=("s3:ListMultipartUploadParts",),
    ),
    Operation(
        "CompleteMultipartUpload",
        lambda s3, it: s3.complete_multipart_upload(
            Bucket=it.bucket, Key="u", UploadId=it.upload, MultipartUpload={"Parts": [it.part]}
        ),
        on_object=(WRITE,),
    ),
    Operation(
        "AbortMultipartUpload",
        lambda s3, it: s3.abort_multipart_upload(Bucket=it.bucket, Key="u", UploadId=it.upload),
        on_object=("s3:AbortMultipartUpload",),
    ),
    Operation(
        "GetBucketPolicy",
        lambda s3, it: s3.get_bucket_policy(Bucket=it.bucket),
        ("s3:GetBucketPolicy",),
    ),
    Operation(
        "GetBucketPolicyStatus",
        lambda s3, it: s3.get_bucket_policy_status(Bucket=it.bucket),
        ("s3:GetBucketPolicyStatus",),
    ),
    Operation(
        "PutBucketPolicy",
        lambda s3, it: s3.put_bucket_policy(
            Bucket=it.bucket,
            ConfirmRemoveSelfBucketAccess=True,
            Policy=policy(
                {
                    "Effect": "Deny",
                    "Principal": "*",
                    "Action": "s3:GetObject",
                    "Resource": f"arn:aws:s3:::{it.bucket}/x",
                }
            ),
        ),
        ("s3:PutBucketPolicy",),
    ),
    Operation(
        "DeleteBucketPolicy",
        lambda s3, it: s3.delete_bucket_policy(Bucket=it.bucket),
        ("s3:DeleteBucketPolicy",),
    ),
    Operation(
        "GetPublicAccessBlock",
        lambda s3, it: s3.get_public_access_block(Bucket=it.bucket),
        ("s3:GetBucketPublicAccessBlock",),
    ),
    Operation(
        "GetBucketOwnershipControls",
        lambda s3, it: s3.get_bucket_ownership_controls(Bucket=it.bucket),
        ("s3:GetBucketOwnershipControls",),
    ),
    Operation(
        "GetObjectTagging",
        lambda s3, it: s3.get_object_tagging(Bucket=it.bucket, Key="k"),
        on_object=("s3:GetObjectTagging",),
    ),
    Operation(
        "GetObjectTagging of a version",
        lambda s3, it: s3.get_object_tagging(Bucket=it.bucket, Key="k", VersionId="null"),
        on_object=("s3:GetObjectVersionTagging",),
    ),
    Operation(
        "PutObjectTagging",
        lambda s3, it: s3.put_object_tagging(Bucket=it.bucket, Key="k", Tagging=TAGS),
        on_object=("s3:PutObjectTagging",),
    ),
    Operation(
        "DeleteObjectTagging of a version",
        lambda s3, it: s3.delete_object_tagging(Bucket=it.bucket, Key="k", VersionId="null"),
        on_object=("s3:DeleteObjectVersionTagging",),
    ),
    Operation(
        "PutObject with tags",
        lambda s3, it: s3.put_object(Bucket=it.bucket, Key="k", Body=b"new", Tagging="a=b"),
        on_object=(WRITE, "s3:PutObjectTagging"),
    ),
    Operation(
        "PutBucketTagging",
        lambda s3, it: s3.put_bucket_tagging(Bucket=it.bucket, Tagging=TAGS),
        ("s3:PutBucketTagging",),
    ),
    Operation(
        "DeleteBucketTagging",
        lambda s3, it: s3.delete_bucket_tagging(Bucket=it.bucket),
        ("s3:PutBucketTagging",),
    ),
)
# Of what a bucket usually has not: who may not hears so, and who may that it is not there.
ABSENT: tuple[tuple[str, dict[str, str], str], ...] = (
    ("get_bucket_versioning", {}, "s3:GetBucketVersioning"),
    ("get_bucket_cors", {}, "s3:GetBucketCORS"),
    ("get_bucket_lifecycle_configuration", {}, "s3:GetLifecycleConfiguration"),
    ("list_object_versions", {}, "s3:ListBucketVersions"),
    ("delete_bucket_website", {}, "s3:DeleteBucketWebsite"),
)
