#!/bin/sh
# Allow S3 to write inventories into a bucket; see docs/inventory.md.
set -eu
. "$(dirname -- "$0")/common.sh"

usage='Usage: put-bucket-policy.sh --bucket BUCKET [OPTION VALUE]...

Allow S3 to write inventories of other buckets into BUCKET. This replaces the policy it has.

  --source BUCKET      the bucket they are of (default: BUCKET itself)
  --account ID         the account, 12 digits, whose bucket that is (default: any)
  --endpoint-url URL, --profile NAME, --region NAME    as of aws'
wanted='source account'
bucket='' source='' account=''
options "$@"

source=${source#s3://}
source=$(json "${source:-$bucket}")
bucket=$(json "$bucket")
whose=''
if [ -n "$account" ]; then
    case $account in
    *[!0-9]*) die '--account is a number of 12 digits' 2 ;;
    esac
    [ "${#account}" -eq 12 ] || die '--account is a number of 12 digits' 2
    whose=", \"aws:SourceAccount\": \"$account\""
fi

s3api put-bucket-policy --bucket "$bucket" --policy "{
  \"Version\": \"2012-10-17\",
  \"Statement\": [{
    \"Sid\": \"InventoryPolicy\",
    \"Effect\": \"Allow\",
    \"Principal\": {\"Service\": \"s3.amazonaws.com\"},
    \"Action\": \"s3:PutObject\",
    \"Resource\": \"arn:aws:s3:::$bucket/*\",
    \"Condition\": {
      \"ArnLike\": {\"aws:SourceArn\": \"arn:aws:s3:::$source\"},
      \"StringEquals\": {\"s3:x-amz-acl\": \"bucket-owner-full-control\"$whose}
    }
  }]
}"
printf 'S3 may write inventories of s3://%s into s3://%s\n' "$source" "$bucket"
