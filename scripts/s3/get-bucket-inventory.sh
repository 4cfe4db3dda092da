#!/bin/sh
# Show one of the inventories that S3 writes of a bucket; see docs/inventory.md.
set -eu
. "$(dirname -- "$0")/common.sh"

usage='Usage: get-bucket-inventory.sh --bucket BUCKET [OPTION VALUE]...

Show an inventory configuration of BUCKET, as JSON.

  --id ID              the name of the configuration (default: that of the bucket)
  --endpoint-url URL, --profile NAME, --region NAME    as of aws'
wanted='id'
bucket='' id=''
options "$@"

s3api get-bucket-inventory-configuration --bucket "$bucket" --id "${id:-$bucket}" --output json
