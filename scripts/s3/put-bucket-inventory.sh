#!/bin/sh
# Have S3 write an inventory of a bucket, daily or weekly; see docs/inventory.md.
set -eu
. "$(dirname -- "$0")/common.sh"

usage='Usage: put-bucket-inventory.sh --bucket BUCKET [OPTION VALUE]...

Have S3 write an inventory of BUCKET from time to time. Again with the same --id it is changed.

  --id ID              the name of its configuration (default: that of the bucket)
  --prefix PREFIX      where it is written, which ais calls --inv-name (default: .inventory)
  --destination BUCKET the bucket it is written to (default: BUCKET itself)
  --frequency WORD     Daily or Weekly (default: Weekly)
  --format WORD        CSV, ORC or Parquet (default: CSV)
  --versions WORD      Current or All (default: Current)
  --fields LIST        what it tells beside names (default: Size,ETag,LastModifiedDate)
  --only PREFIX        only objects whose names begin so
  --endpoint-url URL, --profile NAME, --region NAME    as of aws'
wanted='id prefix destination frequency format versions fields only'
bucket='' id='' prefix=.inventory destination='' frequency=Weekly format=CSV versions=Current
fields=Size,ETag,LastModifiedDate only=''
options "$@"

id=$(json "${id:-$bucket}")
destination=${destination#s3://}
destination=$(json "${destination:-$bucket}")
prefix=$(json "$prefix")
frequency=$(one_of "$frequency" frequency Daily Weekly)
format=$(one_of "$format" format CSV ORC Parquet)
versions=$(one_of "$versions" versions Current All)
fields=$(json "$fields")
fields=$(printf '%s' "$fields" | sed 's/[^,][^,]*/"&"/g')
filter=''
[ -z "$only" ] || filter="\"Filter\": {\"Prefix\": \"$(json "$only")\"},"

s3api put-bucket-inventory-configuration --bucket "$bucket" --id "$id" \
    --inventory-configuration "{
  \"Id\": \"$id\",
  \"IsEnabled\": true,
  \"IncludedObjectVersions\": \"$versions\",
  $filter
  \"OptionalFields\": [$fields],
  \"Schedule\": {\"Frequency\": \"$frequency\"},
  \"Destination\": {
    \"S3BucketDestination\": {
      \"Bucket\": \"arn:aws:s3:::$destination\",
      \"Prefix\": \"$prefix\",
      \"Format\": \"$format\"
    }
  }
}"
printf 'S3 writes inventory "%s" of s3://%s to s3://%s/%s: %s, %s versions, %s\n' \
    "$id" "$bucket" "$destination" "$prefix" "$format" "$versions" "$frequency"
