"""Which events a configuration asks for, and when two of its rules could ask for the same."""

import pytest

from aisle.namespace.notifications import rules
from aisle.namespace.notifications.rules import Destination, Rule, Rules

PUT, COPY = "s3:ObjectCreated:Put", "s3:ObjectCreated:Copy"
ALL = "s3:ObjectCreated:*"


def rule(
    *events: str, prefix: str | None = None, suffix: str | None = None, name: str = "one"
) -> Rule:
    return Rule(
        name, "Queue", "arn:aisle:sqs::hook:webhook", "hook", events or (ALL,), prefix, suffix
    )


@pytest.mark.parametrize(
    ("asked", "event", "key", "takes"),
    [
        (rule(PUT), PUT, "a", True),
        (rule(PUT), COPY, "a", False),
        (rule(ALL), COPY, "a", True),
        (rule(ALL), "s3:ObjectRemoved:Delete", "a", False),
        (rule("s3:ObjectRemoved:*"), "s3:ObjectRemoved:DeleteMarkerCreated", "a", True),
        (rule("s3:ObjectAcl:Put"), PUT, "a", False),
        (rule(PUT, COPY), COPY, "a", True),
        (rule(prefix="in/"), PUT, "in/a", True),
        (rule(prefix="in/"), PUT, "out/a", False),
        (rule(suffix=".jpg"), PUT, "a.jpg", True),
        (rule(suffix=".jpg"), PUT, "a.JPG", False),
        (rule(prefix="in/", suffix=".jpg"), PUT, "in/a.png", False),
        (rule(prefix="ab", suffix="bc"), PUT, "abc", True),
        (rule(prefix="", suffix=""), PUT, "a", True),
    ],
)
def test_a_rule_takes_what_it_asks_for(asked: Rule, event: str, key: str, takes: bool) -> None:
    assert asked.takes(event, key) is takes


@pytest.mark.parametrize(
    ("one", "other", "overlap"),
    [
        (rule(), rule(), True),
        (rule(PUT), rule(COPY), False),
        (rule(ALL), rule(COPY), True),
        (rule(COPY), rule(ALL), True),
        (rule(prefix="a"), rule(prefix="b"), False),
        (rule(prefix="a"), rule(prefix="ab"), True),
        (rule(prefix="a"), rule(), True),
        (rule(prefix="a", suffix=".jpg"), rule(prefix="a", suffix=".png"), False),
        (rule(prefix="a", suffix=".jpg"), rule(prefix="ab", suffix="jpg"), True),
        (rule(prefix="a", suffix=".jpg"), rule(prefix="b", suffix=".jpg"), False),
        (rule(suffix=".jpg"), rule(suffix=".png"), False),
        (rule(PUT, prefix="a"), rule(COPY, prefix="a"), False),
    ],
)
def test_rules_overlap_if_one_event_could_be_asked_for_twice(
    one: Rule, other: Rule, overlap: bool
) -> None:
    assert rules.overlapping([one, other]) is overlap
    assert rules.overlapping([rule("s3:ObjectTagging:Put"), other, one]) is overlap


def test_everything_goes_to_the_bridge_too() -> None:
    asked = Rules((rule(PUT), rule(COPY, name="two")), bridge=True)
    assert list(asked.matching(PUT, "a")) == [("one", "hook"), ("", "eventbridge")]
    assert list(asked.matching("s3:ObjectTagging:Put", "a")) == [("", "eventbridge")]


def test_a_configuration_is_read_as_it_was_written() -> None:
    asked = Rules((rule(PUT, COPY, prefix="a", suffix=""), rule(name="two")), bridge=True)
    assert rules.decode(rules.encode(asked)) == asked


@pytest.mark.parametrize(
    ("arn", "found"),
    [
        ("arn:aisle:sqs:us-east-1:orders:webhook", Destination("us-east-1", "orders", "webhook")),
        ("arn:aisle:sqs::orders:nats", Destination("", "orders", "nats")),
        ("arn:aws:sqs:us-east-1:123456789012:orders", None),
        ("arn:aisle:sqs:us-east-1:orders", None),
        ("arn:aisle:sqs:us-east-1:orders:webhook:more", None),
        ("arn:aisle:sqs:us-east-1::webhook", None),
        ("arn:aisle:sqs:us-east-1:orders:", None),
        ("orders", None),
    ],
)
def test_an_arn_names_a_target(arn: str, found: Destination | None) -> None:
    assert rules.parse_arn(arn) == found
