"""Which replication rules apply to an object."""

from __future__ import annotations

import pytest

from aisle.api.s3.replication import read_configuration
from aisle.api.s3.xml import MalformedXML
from aisle.core.errors import InvalidArgument, InvalidRequest
from aisle.namespace.replication import rules
from aisle.namespace.replication.rules import Rule, applying, rule_for

DESTINATION = "<Destination><Bucket>arn:aws:s3:::there</Bucket></Destination>"


def rule(bucket: str = "there", priority: int = 1, **more: object) -> Rule:
    return Rule("r", priority, True, bucket, **more)  # type: ignore[arg-type]


def document(*written: str, role: str = "arn:aws:iam::1:role/r") -> bytes:
    return (
        f"<ReplicationConfiguration><Role>{role}</Role>{''.join(written)}"
        "</ReplicationConfiguration>"
    ).encode()


def simple(extra: str = "", *, filtered: str = "<Filter/>", status: str = "Enabled") -> str:
    return (
        f"<Rule><Status>{status}</Status><Priority>1</Priority>{filtered}"
        "<DeleteMarkerReplication><Status>Disabled</Status></DeleteMarkerReplication>"
        f"{DESTINATION}{extra}</Rule>"
    )


def test_a_rule_matches_by_prefix_and_all_of_its_tags() -> None:
    both = rule(prefix="a/", tags={"k": "v", "l": "w"})
    assert both.matches("a/x", {"k": "v", "l": "w", "m": ""})
    assert not both.matches("a/x", {"k": "v"})
    assert not both.matches("b", {"k": "v", "l": "w"})
    assert rule().matches("anything", {})


def test_of_rules_for_one_destination_the_greatest_priority_applies() -> None:
    low, high = rule(priority=1, storage_class="GLACIER"), rule(priority=2)
    other = rule("elsewhere", priority=0)
    assert applying([low, high, other], "k", {}) == [high, other]
    assert rule_for([low, high, other], "there", "k", {}) == high
    assert rule_for([low], "elsewhere", "k", {}) is None


def test_a_disabled_rule_applies_to_nothing() -> None:
    assert applying([Rule("r", 1, False, "there")], "k", {}) == []


def test_a_document_is_read_with_all_its_forms() -> None:
    tagged = "<Filter><And><Prefix>p</Prefix><Tag><Key>k</Key><Value>v</Value></Tag></And></Filter>"
    found = read_configuration(document(simple(filtered=tagged))).rules[0]
    assert (found.prefix, found.tags, found.markers) == ("p", {"k": "v"}, False)
    one = "<Filter><Tag><Key>k</Key><Value>v</Value></Tag></Filter>"
    assert read_configuration(document(simple(filtered=one))).rules[0].tags == {"k": "v"}


def test_the_first_schema_has_a_prefix_and_replicates_markers() -> None:
    written = f"<Rule><Prefix>p</Prefix><Status>Enabled</Status>{DESTINATION}</Rule>"
    found = read_configuration(document(written)).rules[0]
    assert (found.prefix, found.priority, found.markers) == ("p", -1, True)


def test_what_is_kept_is_what_was_understood() -> None:
    text = read_configuration(document(simple("<ExistingObjectReplication><Status>Enabled</Status>"
                                              "</ExistingObjectReplication>"))).text  # fmt: skip
    assert text.startswith("<Role>arn:aws:iam::1:role/r</Role><Rule><ID>rule-1</ID>")
    assert "<ExistingObjectReplication><Status>Enabled</Status></ExistingObjectReplication>" in text


def test_a_rule_has_one_id_and_its_tags_keep_their_spaces() -> None:
    tagged = "<Filter><Tag><Key> k </Key><Value> v</Value></Tag></Filter>"
    found = read_configuration(document(simple("<ID> </ID>", filtered=tagged)))
    assert found.rules[0].tags == {" k ": " v"}
    assert found.text.count("<ID>") == 1
    assert "<ID>rule-1</ID>" in found.text
    assert "<Tag><Key> k </Key><Value> v</Value></Tag>" in found.text


def test_a_configuration_survives_being_kept() -> None:
    configuration = read_configuration(document(simple()))
    assert rules.decode(rules.encode(configuration)) == configuration


@pytest.mark.parametrize(
    ("written", "kind"),
    [
        ("", MalformedXML),
        (simple(status="On"), MalformedXML),
        (simple(filtered=""), MalformedXML),
        (simple(filtered="<Filter/><Prefix/>"), MalformedXML),
        (simple(filtered="<Filter><Prefix/><Tag><Key>k</Key></Tag></Filter>"), MalformedXML),
        (simple(filtered="<Filter><Suffix>x</Suffix></Filter>"), MalformedXML),
        (simple("<Colour>red</Colour>"), MalformedXML),
        (simple().replace(DESTINATION, ""), MalformedXML),
        (simple().replace("arn:aws:s3:::", "arn:aws:sns:::"), InvalidArgument),
        (simple().replace("there", "there/x"), InvalidArgument),
        (simple(f"<ID>{'x' * 256}</ID>"), InvalidArgument),
        (simple("<ID>a</ID>") + simple("<ID>a</ID>"), InvalidArgument),
        (simple("<ID>a</ID>") + simple("<ID>b</ID>"), InvalidRequest),  # one priority
        (simple().replace("<Priority>1</Priority>", ""), InvalidRequest),
        (simple().replace("Disabled", "Enabled")
         .replace("<Filter/>", "<Filter><Tag><Key>k</Key><Value/></Tag></Filter>"), InvalidRequest),
        (simple(filtered=f"<Filter><Prefix>{'x' * 1025}</Prefix></Filter>"), InvalidRequest),
        (simple() * 1001, InvalidRequest),
        (simple("<ID>a</ID><ID>b</ID>"), MalformedXML),
        (simple(DESTINATION), MalformedXML),
        (simple("<Status>Disabled</Status>"), MalformedXML),
        (simple(status="Enabled<x/>"), MalformedXML),
        (simple(filtered="<Filter><Prefix>p</Prefix><x/></Filter>"), MalformedXML),
        (simple("<SourceSelectionCriteria><x/></SourceSelectionCriteria>"), MalformedXML),
        ("<Role>other</Role>" + simple(), MalformedXML),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told(written: str, kind: type[Exception]) -> None:
    with pytest.raises(kind):
        read_configuration(document(written))
