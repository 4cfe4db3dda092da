"""Documents of requests: elements in a text, and the second of what is one, are refused by all."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.harness import Node
from tests.wire.support import bucket_target, content_md5, expect_error

GRANTEE = (
    '<Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="Group">'
    "<URI>http://acs.amazonaws.com/groups/global/AllUsers</URI></Grantee>"
)
# The query, a document as it is taken, and the text and the element in question.
DOCUMENTS = [
    (
        "cors",
        "<CORSConfiguration><CORSRule><AllowedOrigin>*</AllowedOrigin>"
        "<AllowedMethod>GET</AllowedMethod><ID>one</ID></CORSRule></CORSConfiguration>",
        "AllowedOrigin",
        "ID",
    ),
    (
        "website",
        "<WebsiteConfiguration><IndexDocument><Suffix>index.html</Suffix></IndexDocument>"
        "<ErrorDocument><Key>error.html</Key></ErrorDocument></WebsiteConfiguration>",
        "Suffix",
        "ErrorDocument",
    ),
    (
        "encryption",
        "<ServerSideEncryptionConfiguration><Rule><BucketKeyEnabled>false</BucketKeyEnabled>"
        "<BlockedEncryptionTypes><EncryptionType>SSE-C</EncryptionType></BlockedEncryptionTypes>"
        "</Rule></ServerSideEncryptionConfiguration>",
        "EncryptionType",
        "BlockedEncryptionTypes",
    ),
    (
        "publicAccessBlock",
        "<PublicAccessBlockConfiguration><BlockPublicAcls>true</BlockPublicAcls>"
        "</PublicAccessBlockConfiguration>",
        "BlockPublicAcls",
        "BlockPublicAcls",
    ),
    (
        "ownershipControls",
        "<OwnershipControls><Rule><ObjectOwnership>ObjectWriter</ObjectOwnership></Rule>"
        "</OwnershipControls>",
        "ObjectOwnership",
        "ObjectOwnership",
    ),
    (
        "tagging",
        "<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>",
        "Value",
        "TagSet",
    ),
    (
        "versioning",
        "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>",
        "Status",
        "Status",
    ),
    (
        "requestPayment",
        "<RequestPaymentConfiguration><Payer>BucketOwner</Payer></RequestPaymentConfiguration>",
        "Payer",
        "Payer",
    ),
    (
        "notification",
        "<NotificationConfiguration><EventBridgeConfiguration/></NotificationConfiguration>",
        "",
        "EventBridgeConfiguration",
    ),
    (
        "notification",
        "<NotificationConfiguration><QueueConfiguration><Id>one</Id>"
        "<Queue>arn:aws:sqs:us-east-1:000000000000:nobody</Queue>"
        "<Event>s3:ObjectCreated:*</Event><Filter><S3Key><FilterRule><Name>prefix</Name>"
        "<Value>a</Value></FilterRule></S3Key></Filter></QueueConfiguration>"
        "</NotificationConfiguration>",
        "Id",
        "Filter",
    ),
    (
        "metrics&id=m",
        "<MetricsConfiguration><Id>m</Id></MetricsConfiguration>",
        "Id",
        "Id",
    ),
    (
        "inventory&id=i",
        "<InventoryConfiguration><Id>i</Id><IsEnabled>true</IsEnabled><Destination>"
        "<S3BucketDestination><Bucket>arn:aws:s3:::BUCKET</Bucket><Format>CSV</Format>"
        "</S3BucketDestination></Destination><Schedule><Frequency>Daily</Frequency></Schedule>"
        "<IncludedObjectVersions>All</IncludedObjectVersions></InventoryConfiguration>",
        "Format",
        "Schedule",
    ),
]
# Amazon has an error of its own for the documents of ACLs.
POLICY = (
    "<AccessControlPolicy><Owner><ID>OWNER</ID></Owner><AccessControlList><Grant>"
    f"{GRANTEE}<Permission>READ</Permission></Grant></AccessControlList></AccessControlPolicy>"
)
LOGGING = (
    "<BucketLoggingStatus><LoggingEnabled><TargetBucket>BUCKET</TargetBucket>"
    "<TargetPrefix>logs/</TargetPrefix></LoggingEnabled></BucketLoggingStatus>"
)


def nested(document: str, name: str) -> str:
    """The document with its text of that name in an element of its own."""
    return re.sub(rf"(<{name}>)(.*?)(</{name}>)", r"\1<b>\2</b>\3", document, count=1)


def doubled(document: str, name: str) -> str:
    """The document with that element again behind it."""
    found = re.search(rf"<{name}( [^>]*)?(/>|>.*?</{name}>)", document)
    assert found is not None
    return document[: found.end()] + found[0] + document[found.end() :]


@pytest.mark.parametrize(
    ("query", "document", "text", "one"),
    [*DOCUMENTS, ("logging", LOGGING, "TargetPrefix", "TargetPrefix")],
)
def test_a_document_with_more_in_it_than_it_may_have_is_malformed(
    node: Node, bucket: str, query: str, document: str, text: str, one: str
) -> None:
    document = document.replace("BUCKET", bucket)
    wrong = [doubled(document, one)]
    if text:
        wrong.append(nested(document, text))
    for each in wrong:
        body = each.encode()
        headers = {"Content-MD5": content_md5(body)}
        reply = node.send("PUT", bucket_target(bucket, query), headers=headers, body=body)
        expect_error(reply, 400, "MalformedXML")


def test_an_acl_with_more_in_it_than_it_may_have_is_malformed(
    node: Node, s3: Any, bucket: str
) -> None:
    policy = POLICY.replace("OWNER", s3.get_bucket_acl(Bucket=bucket)["Owner"]["ID"])
    s3.put_bucket_ownership_controls(
        Bucket=bucket, OwnershipControls={"Rules": [{"ObjectOwnership": "ObjectWriter"}]}
    )
    s3.delete_public_access_block(Bucket=bucket)
    target = bucket_target(bucket, "acl")
    assert node.send("PUT", target, body=policy.encode()).status == 200
    for wrong in (nested(policy, "URI"), doubled(policy, "URI"), nested(policy, "ID")):
        expect_error(node.send("PUT", target, body=wrong.encode()), 400, "MalformedACLError")


def test_requests_for_objects_are_held_to_it_too(node: Node, s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="a", Body=b"1", StorageClass="GLACIER")
    upload = s3.create_multipart_upload(Bucket=bucket, Key="b")["UploadId"]
    etag = s3.upload_part(Bucket=bucket, Key="b", UploadId=upload, PartNumber=1, Body=b"1")["ETag"]
    parts = (
        "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber>"
        f"<ETag>{etag}</ETag></Part></CompleteMultipartUpload>"
    )
    select = (
        "<SelectObjectContentRequest><Expression>select * from s3object</Expression>"
        "<ExpressionType>SQL</ExpressionType>"
        "<InputSerialization><CSV><FileHeaderInfo>NONE</FileHeaderInfo></CSV></InputSerialization>"
        "<OutputSerialization><CSV/></OutputSerialization></SelectObjectContentRequest>"
    )
    cases = [
        ("?delete", "<Delete><Object><Key>a</Key></Object><Quiet>true</Quiet></Delete>", "Quiet"),
        (f"/b?uploadId={upload}", parts, "ETag"),
        ("/a?restore", "<RestoreRequest><Days>1</Days></RestoreRequest>", "Days"),
        ("/a?select&select-type=2", select, "FileHeaderInfo"),
    ]
    for target, document, name in cases:
        for wrong in (nested(document, name), doubled(document, name)):
            body = wrong.encode()
            headers = {"Content-MD5": content_md5(body)}
            reply = node.send("POST", f"/s3/{bucket}{target}", headers=headers, body=body)
            expect_error(reply, 400, "MalformedXML")
    assert s3.head_object(Bucket=bucket, Key="a")["ContentLength"] == 1
