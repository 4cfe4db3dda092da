"""The codes of S3 errors, each with its status and message.

Only data may live here: codes, statuses and messages are Amazon's ("Error responses", S3 API
reference). Which code an error gets, and with which details, is the table in `errors`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

# code -> status, message
MESSAGES: Final[Mapping[str, tuple[int, str]]] = {
    "AccessControlListNotSupported": (400, "The bucket does not allow ACLs"),
    "AccessDenied": (403, "Access Denied"),
    "AmbiguousBucketName": (404, "Several buckets have this name under different providers"),
    "AuthorizationHeaderMalformed": (400, "The authorization header is malformed"),
    "AuthorizationQueryParametersError": (400, "Error parsing the authorization parameters"),
    "AnnotationLimitExceeded": (
        400,
        "The request would exceed the maximum number of annotations allowed per object.",
    ),
    "AnnotationNameTooLong": (400, "The annotation name exceeds 512 bytes."),
    "BadRequest": (400, "Bad Request"),
    "BadDigest": (400, "The digest or checksum you specified did not match what we received."),
    "BucketAlreadyExists": (
        409,
        "The requested bucket name is not available. The bucket namespace is shared by all users"
        " of the system. Please select a different name and try again.",
    ),
    "BucketAlreadyOwnedByYou": (
        409,
        "Your previous request to create the named bucket succeeded and you already own it.",
    ),
    "BucketNotEmpty": (409, "The bucket you tried to delete is not empty"),
    "ConditionalRequestConflict": (
        409,
        "A conflicting operation occurred. If using PutObject you can retry the request. If using"
        " multipart upload you should initiate another CreateMultipartUpload request and"
        " re-upload each part.",
    ),
    "EntityTooLarge": (400, "Your proposed upload exceeds the maximum allowed size"),
    "EntityTooSmall": (
        400,
        "Your proposed upload is smaller than the minimum allowed size",
    ),
    "ExpiredToken": (400, "The provided token has expired."),
    "InvalidEncryptionAlgorithmError": (
        400,
        "The encryption request you specified is not valid. The valid value is AES256.",
    ),
    "KMS.KMSInvalidStateException": (
        400,
        "The key that the object is encrypted with is not available.",
    ),
    "KMS.NotFoundException": (400, "The key does not exist."),
    "IncompleteBody": (
        400,
        "You did not provide the number of bytes specified by the Content-Length HTTP header",
    ),
    "InsufficientStorage": (507, "There is not enough space left to store the data."),
    "InternalError": (500, "We encountered an internal error. Please try again."),
    "InvalidAccessKeyId": (
        403,
        "The AWS Access Key Id you provided does not exist in our records.",
    ),
    "InvalidArgument": (400, "Invalid Argument"),
    "InvalidBucketAclWithObjectOwnership": (
        400,
        "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting",
    ),
    "InvalidBucketOwnerAWSAccountID": (
        400,
        "The value of the expected bucket owner parameter must be an AWS account ID.",
    ),
    "InvalidBucketName": (400, "The specified bucket is not valid."),
    "InvalidObjectState": (
        403,
        "The operation is not valid for the current state of the object.",
    ),
    "AccessForbidden": (403, "CORSResponse: This CORS request is not allowed."),
    "IllegalLocationConstraintException": (
        400,
        "The specified location constraint is incompatible for the region specific endpoint this"
        " request was sent to.",
    ),
    "IllegalVersioningConfigurationException": (
        400,
        "The Versioning element must be specified",
    ),
    "InvalidBucketState": (
        409,
        "The request is not valid for the current state of the bucket.",
    ),
    "InvalidDigest": (400, "The Content-MD5 you specified was invalid."),
    "InvalidLocationConstraint": (400, "The specified location-constraint is not valid"),
    "InvalidPart": (
        400,
        "One or more of the specified parts could not be found. The part may not have been"
        " uploaded, or the specified entity tag may not match the part's entity tag.",
    ),
    "InvalidPartNumber": (416, "The requested partnumber is not satisfiable"),
    "InvalidPartOrder": (
        400,
        "The list of parts was not in ascending order. Parts must be ordered by part number.",
    ),
    "EncryptionTypeMismatch": (
        400,
        "The existing object was created with a different encryption type. Subsequent write"
        " requests must include the appropriate encryption parameters in the request.",
    ),
    "IdempotencyParameterMismatch": (
        400,
        "Parameters on this idempotent request are inconsistent with parameters used in previous"
        " request(s).",
    ),
    "InvalidAnnotationName": (400, "The annotation name you provided is invalid."),
    "InvalidPrefix": (400, "The prefix you provided is invalid."),
    "InvalidTargetBucketForLogging": (
        400,
        "The target bucket for logging does not exist, is not owned by you, or does not have the"
        " appropriate grants for the log-delivery group.",
    ),
    "InvalidWriteOffset": (
        400,
        "The write offset value that you specified does not match the current object size.",
    ),
    "NoSuchAnnotation": (404, "The specified annotation does not exist on this object."),
    "TooManyConfigurations": (
        400,
        "You are attempting to create a new configuration but have already reached the"
        " 1,000-configuration limit.",
    ),
    "TooManyParts": (
        400,
        "You have attempted to add more parts than the maximum of 10000 that are allowed for this"
        " object. You can use the CopyObject operation to copy this object to another and then add"
        " more data to the newly copied object.",
    ),
    "UnsupportedMediaType": (415, "The annotation is not valid UTF-8 text."),
    "IncorrectNumberOfFilesInPostRequest": (
        400,
        "POST requires exactly one file upload per request.",
    ),
    "InvalidPolicyDocument": (
        400,
        "The content of the form does not meet the conditions specified in the policy document.",
    ),
    "InvalidRedirectLocation": (
        400,
        "The website redirect location must have a prefix of 'http://' or 'https://' or '/'.",
    ),
    "MalformedPOSTRequest": (
        400,
        "The body of your POST request is not well-formed multipart/form-data.",
    ),
    "MaxPostPreDataLengthExceededError": (
        400,
        "Your POST request fields preceding the upload file were too large.",
    ),
    "RequestIsNotMultiPartContent": (
        400,
        "Bucket POST must be of the enclosure-type multipart/form-data.",
    ),
    "UserKeyMustBeSpecified": (
        400,
        "The bucket POST must contain the specified field name. If it is specified, check the"
        " order of the fields.",
    ),
    "InvalidRange": (416, "The requested range is not satisfiable"),
    "InvalidRequest": (400, "Invalid Request"),
    "InvalidToken": (400, "The provided token is malformed or otherwise invalid."),
    "InvalidStorageClass": (400, "The storage class you specified is not valid"),
    "InvalidURI": (400, "Couldn't parse the specified URI."),
    "KeyTooLongError": (400, "Your key is too long"),
    "MalformedACLError": (
        400,
        "The XML you provided was not well-formed or did not validate against our published schema",
    ),
    "MalformedPolicy": (400, "Policies must be valid JSON and the first byte must be '{'"),
    "MalformedXML": (
        400,
        "The XML you provided was not well-formed or did not validate against our published schema",
    ),
    "MaxMessageLengthExceeded": (400, "Your request was too big."),
    "MetadataTooLarge": (400, "Your metadata headers exceed the maximum allowed metadata size"),
    "MethodNotAllowed": (405, "The specified method is not allowed against this resource."),
    "MissingContentLength": (411, "You must provide the Content-Length HTTP header."),
    "MissingRequestBodyError": (400, "Request body is empty."),
    "MissingSecurityHeader": (400, "Your request was missing a required header."),
    "NoSuchBucket": (404, "The specified bucket does not exist"),
    "NoSuchBucketPolicy": (404, "The bucket policy does not exist"),
    "InvalidTag": (400, "The tag provided was not a valid tag."),
    "NoSuchCORSConfiguration": (404, "The CORS configuration does not exist"),
    "NoSuchLifecycleConfiguration": (404, "The lifecycle configuration does not exist"),
    "NoSuchObjectLockConfiguration": (
        404,
        "The specified object does not have a ObjectLock configuration",
    ),
    "NoSuchResource": (404, "The specified resource doesn't exist."),
    "NoSuchTagSet": (404, "The TagSet does not exist"),
    "NoSuchWebsiteConfiguration": (
        404,
        "The specified bucket does not have a website configuration",
    ),
    "ObjectLockConfigurationNotFoundError": (
        404,
        "Object Lock configuration does not exist for this bucket",
    ),
    "ReplicationConfigurationNotFoundError": (
        404,
        "The replication configuration was not found",
    ),
    "ServerSideEncryptionConfigurationNotFoundError": (
        404,
        "The server side encryption configuration was not found",
    ),
    "NoSuchConfiguration": (404, "The specified configuration does not exist"),
    "NoSuchKey": (404, "The specified key does not exist."),
    "NoSuchPublicAccessBlockConfiguration": (
        404,
        "The public access block configuration was not found",
    ),
    "NoSuchUpload": (
        404,
        "The specified multipart upload does not exist. The upload ID may be invalid, or the"
        " upload may have been aborted or completed.",
    ),
    "NoSuchVersion": (404, "The specified version does not exist."),
    "NotImplemented": (
        501,
        "A header or query you provided implies functionality that is not implemented.",
    ),
    "OwnershipControlsNotFoundError": (404, "The bucket ownership controls were not found"),
    "PreconditionFailed": (
        412,
        "At least one of the pre-conditions you specified did not hold",
    ),
    "RequestTimeTooSkewed": (
        403,
        "The difference between the request time and the current time is too large.",
    ),
    "ServiceUnavailable": (503, "The service is unavailable. Please retry."),
    "SignatureDoesNotMatch": (
        403,
        "The request signature we calculated does not match the signature you provided. Check"
        " your key and signing method.",
    ),
    "RequestTimeout": (
        400,
        "Your socket connection to the server was not read from or written to within the timeout"
        " period.",
    ),
    "SlowDown": (503, "Please reduce your request rate."),
    "UnexpectedContent": (400, "This request does not support content"),
    "UnresolvableGrantByEmailAddress": (
        400,
        "The email address you provided does not match any account on record.",
    ),
    "XAmzContentSHA256Mismatch": (
        400,
        "The provided 'x-amz-content-sha256' header does not match what was computed.",
    ),
    "EmptyRequestBody": (400, "Request body cannot be empty."),
    "InvalidCompressionFormat": (
        400,
        "The file is not in a supported compression format. Only GZIP and BZIP2 are supported.",
    ),
    "InvalidExpressionType": (
        400,
        "The ExpressionType is invalid. Only SQL expressions are supported.",
    ),
    "InvalidFileHeaderInfo": (
        400,
        "The FileHeaderInfo is invalid. Only NONE, USE, and IGNORE are supported.",
    ),
    "InvalidJsonType": (
        400,
        "The JsonType is invalid. Only DOCUMENT and LINES are supported.",
    ),
    "InvalidQuoteFields": (
        400,
        "The QuoteFields is invalid. Only ALWAYS and ASNEEDED are supported.",
    ),
    "InvalidRequestParameter": (
        400,
        "The value of a parameter in the SelectRequest element is invalid. Check the "
        "service API documentation and try again.",
    ),
    "InvalidScanRange": (400, "The provided scan range is invalid."),
    "MissingRequiredParameter": (
        400,
        "The SelectRequest entity is missing a required parameter. Check the service "
        "documentation and try again.",
    ),
    "ObjectSerializationConflict": (
        400,
        "The SelectRequest entity can only contain one of CSV or JSON. Check the service "
        "documentation and try again.",
    ),
    "UnsupportedRangeHeader": (400, "A Range header is not supported for this operation."),
    "UnsupportedScanRangeInput": (
        400,
        "Scan range queries are not supported on this type of object. Scan range queries "
        "are only supported for uncompressed CSV and JSON objects. The CSV objects must not"
        " support quoted record delimiters.",
    ),
    "InvalidS3DestinationBucket": (
        400,
        "The destination bucket of an inventory is not one that it can be written to.",
    ),
}
