#!/bin/sh
# Have S3 write an inventory no more; see docs/inventory.md.
set -eu
. "$(dirname -- "$0")/common.sh"

usage='Usage: delete-bucket-inventory.sh --bucket BUCKET [OPTION VALUE]...

Remove an inventory configuration of BUCKET. What was written stays.

  --id ID              the name of the configuration (default: that of the bucket)
  --endpoint-url URL, --profile NAME, --region NAME    as of aws'
wanted='id'
bucket='' id=''
options "$@"

s3api delete-bucket-inventory-configuration --bucket "$bucket" --id "${id:-$bucket}"
printf 'S3 writes inventory "%s" of s3://%s no more\n' "${id:-$bucket}" "$bucket"
