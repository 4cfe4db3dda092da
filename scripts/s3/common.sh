# What the scripts beside this one share; it is read by them, not run. POSIX shell and the aws CLI.
#
# A script sets `usage` and `wanted` (the options that it knows, as words) and calls `options "$@"`,
# which leaves what they say in variables of their names, dashes as underscores.

die() {
    printf '%s: %s\n' "${0##*/}" "$1" >&2
    exit "${2:-1}"
}

# Options of aws itself, passed on as they are.
endpoint_url=''
profile=''
region=''

options() {
    while [ "$#" -gt 0 ]; do
        case $1 in
        -h | --help)
            printf '%s\n' "$usage"
            exit 0
            ;;
        --?*=*)
            name=${1%%=*}
            value=${1#*=}
            shift
            ;;
        -b | --?*)
            name=$1
            [ "$#" -gt 1 ] || die "$name needs a value (--help tells more)" 2
            value=$2
            shift 2
            ;;
        *) die "\"$1\" is not an option (--help tells more)" 2 ;;
        esac
        set_option "${name#--}" "$value" "$@"
    done
    [ -n "${bucket:-}" ] || die 'which bucket? --bucket names it (--help tells more)' 2
    # Users write buckets as s3cmd and ais do.
    bucket=${bucket#s3://}
    bucket=${bucket#aws://}
    bucket=${bucket%/}
    command -v aws >/dev/null || die 'the aws command line is not installed'
}

set_option() {
    [ "$1" = -b ] && set -- bucket "$2"
    for known in bucket endpoint-url profile region $wanted; do
        if [ "$1" = "$known" ]; then
            [ -n "$2" ] || die "--$1 needs a value" 2
            # The name is one of those above: nothing of a user's is evaluated.
            eval "$(printf '%s' "$1" | tr '-' '_')=\$2"
            return
        fi
    done
    die "there is no option --$1 (--help tells more)" 2
}

# A text in a JSON document, without its quotes.
json() {
    case $1 in
    *[!A-Za-z0-9._:/=+@,\ -]*) die "\"$1\" has characters that cannot be used here" 2 ;;
    esac
    printf '%s' "$1"
}

# One of several words, whatever its case: one_of VALUE NAME WORD...
one_of() {
    value=$1
    name=$2
    shift 2
    for word in "$@"; do
        if [ "$(printf '%s' "$value" | tr '[:upper:]' '[:lower:]')" = \
            "$(printf '%s' "$word" | tr '[:upper:]' '[:lower:]')" ]; then
            printf '%s' "$word"
            return
        fi
    done
    die "--$name is one of: $*" 2
}

# Run `aws s3api`; its own words tell what went wrong.
s3api() {
    set -- s3api "$@"
    [ -z "$endpoint_url" ] || set -- "$@" --endpoint-url "$endpoint_url"
    [ -z "$profile" ] || set -- "$@" --profile "$profile"
    [ -z "$region" ] || set -- "$@" --region "$region"
    aws "$@"
}
