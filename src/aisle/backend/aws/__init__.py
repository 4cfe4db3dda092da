"""Remote buckets of Amazon S3, and of whatever else speaks its API: provider `aws`."""

from aisle.backend.aws.provider import AwsProvider

__all__ = ["AwsProvider"]
