"""Lifecycle rules as XML: every form is read and written back, every mistake told in its words."""

from __future__ import annotations

import re

import pytest

from aisle.api.s3.liferules import read, write
from aisle.api.s3.xml import MalformedXML
from aisle.core.errors import AisleError, InvalidArgument, InvalidRequest
from aisle.namespace.lifecycle.rules import ALL_128K, VARIES

ON = "<Status>Enabled</Status>"
EXPIRES = "<Expiration><Days>9</Days></Expiration>"
ALL = "<Filter></Filter>"


def document(*rules: str) -> bytes:
    inner = "".join(f"<Rule>{rule}</Rule>" for rule in rules)
    return f"<LifecycleConfiguration>{inner}</LifecycleConfiguration>".encode()


def written(*rules: str) -> str:
    return write(read(document(*rules), ""))


FORMS = [
    f"<ID>legacy</ID><Prefix>a/</Prefix>{ON}{EXPIRES}",
    f"<ID>everything</ID><Prefix></Prefix>{ON}{EXPIRES}",
    f"<ID>empty filter</ID>{ALL}{ON}{EXPIRES}",
    f"<ID>prefix</ID><Filter><Prefix>ä &amp; b</Prefix></Filter>{ON}{EXPIRES}",
    f"<ID>tag</ID><Filter><Tag><Key>k</Key><Value></Value></Tag></Filter>{ON}{EXPIRES}",
    f"<ID>large</ID><Filter><ObjectSizeGreaterThan>0</ObjectSizeGreaterThan></Filter>{ON}{EXPIRES}",
    f"<ID>small</ID><Filter><ObjectSizeLessThan>1</ObjectSizeLessThan></Filter>{ON}{EXPIRES}",
    "<ID>and</ID><Filter><And><Prefix>p</Prefix><Tag><Key>a</Key><Value>1</Value></Tag>"
    "<Tag><Key>b</Key><Value>2</Value></Tag><ObjectSizeGreaterThan>5</ObjectSizeGreaterThan>"
    f"<ObjectSizeLessThan>70000000000</ObjectSizeLessThan></And></Filter>{ON}{EXPIRES}",
    f"<ID>off</ID>{ALL}<Status>Disabled</Status>{EXPIRES}",
    f"<ID>date</ID>{ALL}{ON}<Expiration><Date>2030-01-31T00:00:00.000Z</Date></Expiration>",
    f"<ID>markers</ID>{ALL}{ON}<Expiration><ExpiredObjectDeleteMarker>true"
    "</ExpiredObjectDeleteMarker></Expiration>",
    f"<ID>no markers</ID>{ALL}{ON}<Expiration><ExpiredObjectDeleteMarker>false"
    "</ExpiredObjectDeleteMarker></Expiration>",
    f"<ID>noncurrent</ID>{ALL}{ON}<NoncurrentVersionExpiration><NoncurrentDays>3</NoncurrentDays>"
    "<NewerNoncurrentVersions>100</NewerNoncurrentVersions></NoncurrentVersionExpiration>",
    f"<ID>abort</ID>{ALL}{ON}<AbortIncompleteMultipartUpload><DaysAfterInitiation>7"
    "</DaysAfterInitiation></AbortIncompleteMultipartUpload>",
    f"<ID>transitions</ID>{ALL}{ON}"
    "<Transition><Days>30</Days><StorageClass>STANDARD_IA</StorageClass></Transition>"
    "<Transition><Days>60</Days><StorageClass>GLACIER</StorageClass></Transition>"
    "<Expiration><Days>61</Days></Expiration>"
    "<NoncurrentVersionTransition><NoncurrentDays>0</NoncurrentDays><NewerNoncurrentVersions>1"
    "</NewerNoncurrentVersions><StorageClass>DEEP_ARCHIVE</StorageClass>"
    "</NoncurrentVersionTransition>"
    "<NoncurrentVersionExpiration><NoncurrentDays>1</NoncurrentDays></NoncurrentVersionExpiration>",
    f"<ID>dated</ID>{ALL}{ON}<Transition><Date>2030-01-01T00:00:00.000Z</Date>"
    "<StorageClass>GLACIER_IR</StorageClass></Transition>"
    "<Expiration><Date>2030-01-02T00:00:00.000Z</Date></Expiration>",
]


@pytest.mark.parametrize("rule", FORMS)
def test_every_form_comes_back_as_it_was(rule: str) -> None:
    assert written(rule) == f"<Rule>{rule}</Rule>"


def test_the_order_of_rules_is_kept() -> None:
    assert written(*FORMS[2:]) == "".join(f"<Rule>{rule}</Rule>" for rule in FORMS[2:])


def test_a_rule_without_an_id_gets_one_of_its_own() -> None:
    rule = f"<ID></ID>{ALL}{ON}{EXPIRES}"
    ids = re.findall("<ID>(.*?)</ID>", written(rule, rule.removeprefix("<ID></ID>"), rule))
    assert len(set(ids)) == 3
    assert all(10 < len(each) < 100 for each in ids)


@pytest.mark.parametrize(
    "date", ["2030-01-31", "2030-01-31T00:00:00Z", "2030-01-31T00:00:00", "2030-01-31T01:00+01:00"]
)
def test_dates_are_read_as_clients_write_them(date: str) -> None:
    rule = f"{ALL}{ON}<Expiration><Date>{date}</Date></Expiration>"
    assert "<Date>2030-01-31T00:00:00.000Z</Date>" in written(rule)


def test_the_default_minimum_size_is_kept() -> None:
    body = document(FORMS[0])
    assert [read(body, word).minimum for word in ("", VARIES, ALL_128K)] == [
        ALL_128K,
        VARIES,
        ALL_128K,
    ]
    with pytest.raises(InvalidRequest, match="Invalid TransitionDefaultMinimumObjectSize found: x"):
        read(body, "x")


def test_a_thousand_rules_are_taken_and_no_more() -> None:
    rules = [f"<ID>{number}</ID>{ALL}{ON}{EXPIRES}" for number in range(1001)]
    assert len(read(document(*rules[:1000]), "").rules) == 1000
    with pytest.raises(MalformedXML):
        read(document(*rules), "")


def filtered(inner: str, action: str = EXPIRES) -> str:
    return f"<Filter>{inner}</Filter>{ON}{action}"


def acting(action: str) -> str:
    return f"{ALL}{ON}{action}"


def transition(days: int, storage_class: str) -> str:
    when = f"<Days>{days}</Days><StorageClass>{storage_class}</StorageClass>"
    return f"<Transition>{when}</Transition>"


def noncurrent(inner: str) -> str:
    return acting(f"<NoncurrentVersionExpiration>{inner}</NoncurrentVersionExpiration>")


MALFORMED = [
    "",
    f"{ALL}{EXPIRES}",
    f"{ALL}<Status>enabled</Status>{EXPIRES}",
    f"{ALL}{ON}{ON}{EXPIRES}",
    f"{ON}{EXPIRES}",
    f"<Prefix></Prefix>{ALL}{ON}{EXPIRES}",
    f"{ALL}{ON}{EXPIRES}<Other/>",
    f"{ALL}{ON}{EXPIRES}text",
    filtered("<Prefix>a</Prefix><ObjectSizeLessThan>9</ObjectSizeLessThan>"),
    filtered("<Prefix>a</Prefix><Prefix>a</Prefix>"),
    filtered("<And><Prefix>a</Prefix></And>"),
    filtered("<And></And>"),
    filtered("<Tag><Key>a</Key></Tag>"),
    filtered("<Prefix><a/></Prefix>"),
    filtered("<ObjectSizeLessThan>many</ObjectSizeLessThan>"),
    acting("<Expiration></Expiration>"),
    acting("<Expiration><Days>1</Days><Date>2030-01-01</Date></Expiration>"),
    acting(
        "<Expiration><Days>1</Days><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker>"
        "</Expiration>"
    ),
    acting("<Expiration><Days>1.5</Days></Expiration>"),
    acting("<Expiration><Days>9999999999</Days></Expiration>"),
    acting("<Expiration><Date>tomorrow</Date></Expiration>"),
    acting("<Expiration><Date>2030-02-30</Date></Expiration>"),
    acting("<Expiration><ExpiredObjectDeleteMarker>yes</ExpiredObjectDeleteMarker></Expiration>"),
    noncurrent("<NewerNoncurrentVersions>1</NewerNoncurrentVersions>"),
    acting("<AbortIncompleteMultipartUpload></AbortIncompleteMultipartUpload>"),
    acting("<Transition><Days>1</Days></Transition>"),
    acting("<Transition><StorageClass>GLACIER</StorageClass></Transition>"),
    acting(transition(1, "STANDARD")),
    acting(transition(1, "COLD")),
]


@pytest.mark.parametrize("rule", MALFORMED)
def test_what_does_not_fit_the_schema_is_malformed(rule: str) -> None:
    with pytest.raises(MalformedXML):
        read(document(rule), "")


def test_a_document_without_rules_or_of_another_kind_is_malformed() -> None:
    for body in (b"", b"{}", document(), b"<Other/>", b"<LifecycleConfiguration><Other/>"):
        with pytest.raises(MalformedXML):
            read(body, "")


BAD: list[tuple[str, type[AisleError], str]] = [
    (f"{ALL}{ON}", InvalidRequest, "At least one action needs to be specified in a rule"),
    (
        f"<ID>{'x' * 256}</ID>{acting(EXPIRES)}",
        InvalidArgument,
        "ID length should not exceed allowed limit of 255",
    ),
    (
        acting("<Expiration><Days>0</Days></Expiration>"),
        InvalidArgument,
        "'Days' for Expiration action must be a positive integer",
    ),
    (
        acting("<Expiration><Days>-1</Days></Expiration>"),
        InvalidArgument,
        "'Days' for Expiration action must be a positive integer",
    ),
    (
        acting("<Expiration><Date>2030-01-01T12:00:00Z</Date></Expiration>"),
        InvalidArgument,
        "'Date' must be at midnight GMT",
    ),
    (
        noncurrent("<NoncurrentDays>0</NoncurrentDays>"),
        InvalidArgument,
        "'NoncurrentDays' for NoncurrentVersionExpiration action must be a positive integer",
    ),
    (
        noncurrent(
            "<NoncurrentDays>1</NoncurrentDays>"
            "<NewerNoncurrentVersions>101</NewerNoncurrentVersions>"
        ),
        InvalidArgument,
        "must not be greater than 100",
    ),
    (
        f"<Prefix></Prefix>{ON}<NoncurrentVersionExpiration><NoncurrentDays>1</NoncurrentDays>"
        "<NewerNoncurrentVersions>1</NewerNoncurrentVersions></NoncurrentVersionExpiration>",
        InvalidRequest,
        "in a rule with a Filter",
    ),
    (
        acting(
            "<AbortIncompleteMultipartUpload><DaysAfterInitiation>0</DaysAfterInitiation>"
            "</AbortIncompleteMultipartUpload>"
        ),
        InvalidArgument,
        "'DaysAfterInitiation' for AbortIncompleteMultipartUpload action must be a positive",
    ),
    (
        filtered(
            "<Tag><Key>a</Key><Value>b</Value></Tag>",
            "<AbortIncompleteMultipartUpload><DaysAfterInitiation>1</DaysAfterInitiation>"
            "</AbortIncompleteMultipartUpload>",
        ),
        InvalidRequest,
        "AbortIncompleteMultipartUpload cannot be specified with Tags.",
    ),
    (
        filtered(
            "<Tag><Key>a</Key><Value>b</Value></Tag>",
            "<Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration>",
        ),
        InvalidRequest,
        "ExpiredObjectDeleteMarker cannot be specified with Tags.",
    ),
    (
        filtered(f"<Prefix>{'x' * 1025}</Prefix>"),
        InvalidRequest,
        "The maximum size of a prefix is 1024.",
    ),
    (
        filtered("<Tag><Key></Key><Value>b</Value></Tag>"),
        InvalidRequest,
        "A Tag's Key must be a length between 1 and 128.",
    ),
    (
        filtered(f"<Tag><Key>a</Key><Value>{'b' * 257}</Value></Tag>"),
        InvalidRequest,
        "A Tag's Value must be a length between 0 and 256.",
    ),
    (
        filtered("<And>" + "<Tag><Key>a</Key><Value>b</Value></Tag>" * 2 + "</And>"),
        InvalidRequest,
        "Duplicate Tag Keys are not allowed.",
    ),
    (
        filtered(
            "<And><ObjectSizeGreaterThan>9</ObjectSizeGreaterThan>"
            "<ObjectSizeLessThan>9</ObjectSizeLessThan></And>"
        ),
        InvalidRequest,
        "'ObjectSizeLessThan' has to be a value greater than 'ObjectSizeGreaterThan'",
    ),
    (
        filtered("<ObjectSizeGreaterThan>-1</ObjectSizeGreaterThan>"),
        InvalidRequest,
        "'ObjectSizeGreaterThan' must be non-negative",
    ),
    (
        acting(transition(29, "STANDARD_IA")),
        InvalidArgument,
        "'Days' in Transition action must be greater than or equal to 30 for storageClass"
        " 'STANDARD_IA'",
    ),
    (
        filtered("<Prefix>logs/</Prefix>", transition(9, "GLACIER") + EXPIRES),
        InvalidArgument,
        "'Days' in the Expiration action for filter '(prefix=logs/)' must be greater than 'Days'"
        " in the Transition action",
    ),
    (
        acting(transition(30, "STANDARD_IA") + transition(59, "GLACIER")),
        InvalidArgument,
        "must be 30 days more than",
    ),
    (
        acting(transition(5, "DEEP_ARCHIVE") + transition(5, "GLACIER")),
        InvalidArgument,
        "must be greater than 'Days' in the Transition action for StorageClass 'GLACIER'",
    ),
    (
        acting(transition(5, "GLACIER") + transition(6, "GLACIER")),
        InvalidRequest,
        "'StorageClass' must be different for 'Transition' actions in same 'Rule'",
    ),
    (
        acting(transition(5, "GLACIER") + "<Expiration><Date>2030-01-01</Date></Expiration>"),
        InvalidRequest,
        "Found mixed 'Date' and 'Days' based Expiration and Transition actions",
    ),
    (
        acting(
            "<Transition><Date>2030-01-02</Date><StorageClass>GLACIER</StorageClass></Transition>"
            "<Expiration><Date>2030-01-02</Date></Expiration>"
        ),
        InvalidArgument,
        "must be later than 'Date' in the Transition action",
    ),
    (
        acting(
            "<NoncurrentVersionTransition><NoncurrentDays>5</NoncurrentDays>"
            "<StorageClass>GLACIER</StorageClass></NoncurrentVersionTransition>"
            "<NoncurrentVersionExpiration><NoncurrentDays>5</NoncurrentDays>"
            "</NoncurrentVersionExpiration>"
        ),
        InvalidArgument,
        "'NoncurrentDays' in the NoncurrentVersionExpiration action for filter '()' must be"
        " greater than 'NoncurrentDays' in the NoncurrentVersionTransition action",
    ),
]


@pytest.mark.parametrize(("rule", "error", "words"), BAD)
def test_what_makes_no_sense_is_told(rule: str, error: type[AisleError], words: str) -> None:
    with pytest.raises(error, match=re.escape(words)):
        read(document(rule), "")


def test_rules_have_ids_of_their_own() -> None:
    rule = f"<ID>a</ID>{acting(EXPIRES)}"
    words = "Rule ID must be unique. Found same ID for more than one rule"
    with pytest.raises(InvalidArgument, match=words):
        read(document(rule, rule), "")


def test_old_and_new_forms_do_not_mix() -> None:
    old, new = f"<Prefix>a</Prefix>{ON}{EXPIRES}", acting(EXPIRES)
    assert len(read(document(old, old), "").rules) == 2
    with pytest.raises(InvalidRequest, match="Base level prefix cannot be used in Lifecycle V2"):
        read(document(new, old), "")
    with pytest.raises(InvalidRequest, match="Filter element can only be used in Lifecycle V2"):
        read(document(old, new), "")
