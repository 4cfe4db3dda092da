#!/bin/sh
# List the inventories that S3 writes of a bucket; see docs/inventory.md.
set -eu
. "$(dirname -- "$0")/common.sh"

usage='Usage: list-bucket-inventory.sh --bucket BUCKET [OPTION VALUE]...

List the inventory configurations of BUCKET, as JSON.

  --endpoint-url URL, --profile NAME, --region NAME    as of aws'
wanted=''
bucket=''
options "$@"

s3api list-bucket-inventory-configurations --bucket "$bucket" --output json
