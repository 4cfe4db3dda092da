"""Handlers of encryption: Get/Put/DeleteBucketEncryption, UpdateObjectEncryption.

What a bucket that says nothing tells is what happens: SSE-S3 where the node was given a key ring,
and that there is no configuration where it was not.

Spec: API reference of the four; user guide, "Setting default server-side encryption behavior".
"""

from __future__ import annotations

from typing import Final

import msgspec

from aisle.api.base import Context, Response, Service
from aisle.api.s3.common import XML, open_bucket, remover, version_of
from aisle.api.s3.errors import S3Error
from aisle.api.s3.incoming import read_document
from aisle.api.s3.xml import MalformedXML, document, element, parse
from aisle.core.errors import KeyRingMissing, NotSupported
from aisle.core.names import encode_key
from aisle.core.xmltree import Element
from aisle.namespace import documents, edits
from aisle.namespace.records import Object
from aisle.namespace.sealing import wishes
from aisle.namespace.sealing.ring import is_arn, key_name
from aisle.namespace.sealing.wishes import AES256, DSSE, KMS, MODES, SSE_C, Rule, Wish

_DOCUMENT_LIMIT: Final = 64 << 10
_WORDS: Final = {"true": True, "false": False}
_BLOCKABLE: Final = frozenset({"NONE", SSE_C})


async def get_bucket_encryption(svc: Service, ctx: Context) -> Response:
    row = await open_bucket(svc, ctx)
    rule = await wishes.rule_of(svc.store, row)
    ring = svc.store.ring
    mode = rule.mode or (AES256 if ring is not None and ring.by_default else "")
    if not mode and not rule.blocked:
        raise S3Error("ServerSideEncryptionConfigurationNotFoundError", BucketName=ctx.bucket)
    parts = []
    if mode:
        default = element("SSEAlgorithm", mode)
        default += element("KMSMasterKeyID", rule.key) if rule.key else ""
        parts.append(
            f"<ApplyServerSideEncryptionByDefault>{default}</ApplyServerSideEncryptionByDefault>"
        )
    parts.append(element("BucketKeyEnabled", "true" if rule.bucket_key else "false"))
    if rule.blocked:
        kinds = "".join(element("EncryptionType", kind) for kind in rule.blocked)
        parts.append(f"<BlockedEncryptionTypes>{kinds}</BlockedEncryptionTypes>")
    told = f"<Rule>{''.join(parts)}</Rule>"
    return Response(200, XML, document("ServerSideEncryptionConfiguration", told))


async def put_bucket_encryption(svc: Service, ctx: Context) -> Response:
    row = await open_bucket(svc, ctx)
    body = await read_document(ctx.head, ctx.known_payload, ctx.body, _DOCUMENT_LIMIT)
    rule = _rule(body)
    if rule.mode and svc.store.ring is None:
        raise KeyRingMissing
    await documents.change(svc.store, row, {documents.ENCRYPTION: wishes.encode_rule(rule)})
    return Response(200)


delete_bucket_encryption = remover(documents.ENCRYPTION)


def _rule(body: bytes) -> Rule:
    tree = parse(body, "ServerSideEncryptionConfiguration")
    rules = list(tree.all("Rule"))
    if len(rules) != 1 or len(tree.children) != 1:
        raise MalformedXML("there is one Rule")
    found = rules[0]
    _only(found, "ApplyServerSideEncryptionByDefault", "BucketKeyEnabled", "BlockedEncryptionTypes")
    mode = key = ""
    default = found.first("ApplyServerSideEncryptionByDefault")
    if default is not None:
        _only(default, "SSEAlgorithm", "KMSMasterKeyID")
        mode, key = default.value("SSEAlgorithm").strip(), default.value("KMSMasterKeyID").strip()
        if mode not in MODES:
            raise MalformedXML(f"{mode} is no SSEAlgorithm")
        if key and mode == AES256:
            raise S3Error(
                "InvalidArgument",
                "a KMSMasterKeyID is not applicable if the default sse algorithm is not aws:kms"
                " or aws:kms:dsse",
                ArgumentName="KMSMasterKeyID",
                ArgumentValue=key,
            )
    bucket_key = _flag(found, "BucketKeyEnabled")
    if bucket_key and mode == DSSE:
        raise S3Error("InvalidArgument", "S3 Bucket Keys cannot be used with aws:kms:dsse")
    blocked: tuple[str, ...] = ()
    listed = found.first("BlockedEncryptionTypes")
    if listed is not None:
        _only(listed, "EncryptionType")
        kinds = [child.text.strip() for child in listed.children]
        if not kinds or not _BLOCKABLE.issuperset(kinds) or len(set(kinds)) != len(kinds):
            raise MalformedXML("BlockedEncryptionTypes has NONE or SSE-C")
        if "NONE" in kinds and len(kinds) > 1:
            raise MalformedXML("NONE stands alone")
        blocked = tuple(kinds)
    if default is None and bucket_key is None and listed is None:
        raise MalformedXML("the Rule says nothing")
    return Rule(mode, key, bucket_key, blocked)


def _only(tree: Element, *names: str) -> None:
    seen = [child.name for child in tree.children]
    for name in seen:
        if name not in names or (seen.count(name) > 1 and name != "EncryptionType"):
            raise MalformedXML(f"{name} is not known here")


def _flag(tree: Element, name: str) -> bool | None:
    found = tree.first(name)
    if found is None:
        return None
    value = _WORDS.get(found.text.strip().lower())
    if value is None:
        raise MalformedXML(f"{name} is true or false")
    return value


# --- one object -----------------------------------------------------------------------------

_OPERATION: Final = "The UpdateObjectEncryption operation"


async def update_object_encryption(svc: Service, ctx: Context) -> Response:
    bucket = await open_bucket(svc, ctx)
    body = await read_document(ctx.head, ctx.known_payload, ctx.body, _DOCUMENT_LIMIT)
    wish = _new(body)
    if bucket.record.behind is not None:
        raise NotSupported("Objects of remote buckets are encrypted there, not here.")
    store = svc.store
    if store.ring is None:
        raise KeyRingMissing
    store.ring.newest(wish.key)

    def sealed_anew(old: Object) -> Object:
        sealed = old.sealed
        if sealed is None:
            raise S3Error(
                "InvalidRequest",
                f"{_OPERATION} doesn't supported unencrypted source objects. Only source objects"
                " encrypted with SSE-S3 or SSE-KMS are supported.",
            )
        if sealed.mode not in (AES256, KMS):
            raise S3Error(
                "InvalidRequest",
                f"{_OPERATION} doesn't support source objects with the encryption type DSSE-KMS or"
                " SSE-C. Only source objects encrypted with SSE-S3 or SSE-KMS are supported.",
            )
        lock = old.lock
        if lock is not None and (lock.hold or lock.until > store.now()):
            raise S3Error(
                "AccessDenied",
                "The encryption type for the specified object can't be updated because that object"
                " is protected by S3 Object Lock.",
            )
        key = wishes.open_key(store, sealed)
        new = Wish(KMS, wish.key, sealed.context, wish.bucket_key)
        return msgspec.structs.replace(old, sealed=wishes.wrapped_anew(store, key, new))

    await edits.change(store, bucket, encode_key(ctx.key), sealed_anew, version=version_of(ctx))
    return Response(200)


def _new(body: bytes) -> Wish:
    tree = parse(body, "ObjectEncryption")
    if len(tree.children) != 1:
        raise MalformedXML("there is one encryption type")
    kms = tree.first("SSE-KMS")
    if kms is None:
        known = tree.children[0].name in ("SSE-C", "DSSE-KMS", "SSE-DSSE")
        raise S3Error(
            "InvalidRequest",
            f"{_OPERATION} doesn't support updating the encryption type to DSSE-KMS or SSE-C."
            " Modify the request to specify SSE-KMS for the updated encryption type, and then try"
            " again."
            if known
            else "Requests that modify an object encryption configuration require a valid new"
            " encryption type. Valid values are SSEKMS. Modify the request to specify SSE-KMS for"
            " the updated encryption type, and then try again.",
        )
    key = kms.value("KMSKeyArn").strip()
    if not key:
        raise S3Error(
            "InvalidRequest",
            "Requests that modify an object's encryption type to SSE-KMS require an Amazon Web"
            " Services KMS key Amazon Resource Name (ARN). Modify the request to specify a KMS key"
            " ARN, and then try again.",
        )
    if not is_arn(key):
        raise S3Error(
            "InvalidRequest",
            "Requests that modify an object's encryption type to SSE-KMS require a valid Amazon"
            " Web Services KMS key Amazon Resource Name (ARN). Confirm that you have a correctly"
            " formatted KMS key ARN in your request, and then try again.",
        )
    flag = kms.value("BucketKeyEnabled").strip().lower() or "false"
    if flag not in _WORDS:
        raise S3Error(
            "InvalidRequest",
            "The BucketKeyEnabled value isn't valid. Valid values are true or false. Modify the"
            " request to specify a valid value, and then try again.",
        )
    return Wish(KMS, key_name(key), bucket_key=_WORDS[flag])
