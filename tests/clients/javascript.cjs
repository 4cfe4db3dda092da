// What the AWS SDK for JavaScript does with buckets, in parts, each with a bucket of its own.
//
//     NODE_PATH=.../node_modules node javascript.cjs ENDPOINT PART=BUCKET...
//
// Credentials and region come from the environment. What each part has found, or what has failed in
// it, is printed as JSON. Nothing of the client is changed but for its endpoint and path style.
"use strict";

const assert = require("node:assert/strict");
const crypto = require("node:crypto");
const s3 = require("@aws-sdk/client-s3");
const { Upload } = require("@aws-sdk/lib-storage");
const { createPresignedPost } = require("@aws-sdk/s3-presigned-post");
const { getSignedUrl } = require("@aws-sdk/s3-request-presigner");

const [endpoint, ...asked] = process.argv.slice(2);
let Bucket;
const client = new s3.S3Client({ endpoint, forcePathStyle: true, maxAttempts: 1 });
const send = (name, parameters = {}) =>
  client.send(new s3[`${name}Command`]({ Bucket, ...parameters }));
const text = async (reply) => reply.Body.transformToString();
const failure = async (promise) => {
  try {
    await promise;
  } catch (error) {
    return { name: error.name, status: error.$metadata.httpStatusCode };
  }
  return null;
};

const PARTS = {
  async buckets() {
    await send("CreateBucket");
    await send("HeadBucket");
    const { Buckets } = await send("ListBuckets");
    assert(Buckets.some((one) => one.Name === Bucket && one.CreationDate instanceof Date));
    const where = await send("GetBucketLocation");
    await send("DeleteBucket");
    const gone = await failure(send("ListObjectsV2"));
    return { location: where.LocationConstraint ?? "", gone };
  },

  async objects() {
    const Key = "a b/\u00fc+%.txt";
    const put = await send("PutObject", {
      Key, Body: "hello", ContentType: "text/plain", Metadata: { who: "me" },
      CacheControl: "no-store",
    });
    assert.equal(put.ETag, '"5d41402abc4b2a76b9719d911017c592"');
    assert.ok(put.ChecksumCRC32); // the SDK's own choice
    const got = await send("GetObject", { Key });
    assert.equal(await text(got), "hello");
    assert.deepEqual([got.ContentType, got.CacheControl, got.Metadata],
      ["text/plain", "no-store", { who: "me" }]);
    const range = await send("GetObject", { Key, Range: "bytes=1-3" });
    assert.deepEqual([await text(range), range.ContentRange], ["ell", "bytes 1-3/5"]);
    const same = await failure(send("GetObject", { Key, IfNoneMatch: put.ETag }));
    const exclusive = await failure(send("PutObject", { Key, Body: "x", IfNoneMatch: "*" }));
    await send("CopyObject", { Key: "copy", CopySource: encodeURI(`${Bucket}/${Key}`).replace("+", "%2B") });
    for (let number = 0; number < 5; number++) {
      await send("PutObject", { Key: `many/${number}`, Body: Buffer.alloc(number) });
    }
    const names = [];
    for await (const page of s3.paginateListObjectsV2({ client, pageSize: 2 }, { Bucket })) {
      names.push(...(page.Contents ?? []).map((one) => one.Key));
    }
    const delimited = await send("ListObjectsV2", { Delimiter: "/" });
    const missing = await failure(send("GetObject", { Key: "missing" }));
    const deleted = await send("DeleteObjects", {
      Delete: { Objects: names.map((name) => ({ Key: name })) },
    });
    return {
      names,
      prefixes: delimited.CommonPrefixes.map((one) => one.Prefix),
      deleted: deleted.Deleted.length,
      same, exclusive, missing,
      left: (await send("ListObjectsV2")).KeyCount,
    };
  },

  async multipart() {
    const Body = crypto.createHash("sha512").update("a").digest();
    const data = Buffer.concat(Array.from({ length: 6 << 14 }, () => Body)).subarray(0, 6_000_000);
    const upload = new Upload({
      client, params: { Bucket, Key: "large", Body: data }, partSize: 5 << 20, queueSize: 2,
    });
    const done = await upload.done();
    const got = await send("GetObject", { Key: "large" });
    const read = Buffer.from(await got.Body.transformToByteArray());
    assert(read.equals(data));
    const one = await send("CreateMultipartUpload", { Key: "given up" });
    await send("UploadPart", { Key: "given up", UploadId: one.UploadId, PartNumber: 1, Body: "x" });
    const { Parts } = await send("ListParts", { Key: "given up", UploadId: one.UploadId });
    await send("AbortMultipartUpload", { Key: "given up", UploadId: one.UploadId });
    const { Uploads } = await send("ListMultipartUploads");
    return { etag: done.ETag, size: read.length, parts: Parts.length, left: (Uploads ?? []).length };
  },

  async versioning() {
    await send("PutBucketVersioning", { VersioningConfiguration: { Status: "Enabled" } });
    const { Status } = await send("GetBucketVersioning");
    const Key = "k";
    const first = await send("PutObject", { Key, Body: "1" });
    const second = await send("PutObject", { Key, Body: "2" });
    const marker = await send("DeleteObject", { Key });
    assert.equal(marker.DeleteMarker, true);
    const gone = await failure(send("GetObject", { Key }));
    const bodies = [];
    for (const { VersionId } of [first, second]) {
      bodies.push(await text(await send("GetObject", { Key, VersionId })));
    }
    const listed = await send("ListObjectVersions");
    await send("DeleteObject", { Key, VersionId: marker.VersionId });
    bodies.push(await text(await send("GetObject", { Key })));
    for (const { VersionId } of [first, second]) await send("DeleteObject", { Key, VersionId });
    return {
      Status, gone, bodies,
      versions: listed.Versions.map((one) => one.IsLatest),
      markers: listed.DeleteMarkers.map((one) => one.IsLatest),
    };
  },

  async tagging() {
    const TagSet = [{ Key: "a", Value: "1" }, { Key: "b c", Value: "\u00fc" }];
    await send("PutBucketTagging", { Tagging: { TagSet } });
    assert.deepEqual((await send("GetBucketTagging")).TagSet, TagSet);
    await send("DeleteBucketTagging");
    const none = await failure(send("GetBucketTagging"));
    await send("PutObject", { Key: "k", Body: "x", Tagging: "a=1&b%20c=%C3%BC" });
    assert.deepEqual((await send("GetObjectTagging", { Key: "k" })).TagSet, TagSet);
    assert.equal((await send("GetObject", { Key: "k" })).TagCount, 2);
    await send("PutObjectTagging", { Key: "k", Tagging: { TagSet: TagSet.slice(1) } });
    const { TagSet: left } = await send("GetObjectTagging", { Key: "k" });
    await send("DeleteObjectTagging", { Key: "k" });
    return { none, left, deleted: (await send("GetObjectTagging", { Key: "k" })).TagSet };
  },

  async locks() {
    await send("PutBucketVersioning", { VersioningConfiguration: { Status: "Enabled" } });
    await send("PutObjectLockConfiguration", {
      ObjectLockConfiguration: { ObjectLockEnabled: "Enabled" },
    });
    const until = new Date(Math.floor(Date.now() / 1000) * 1000 + 86400000);
    const { VersionId } = await send("PutObject", {
      Key: "k", Body: "1", ObjectLockMode: "GOVERNANCE", ObjectLockRetainUntilDate: until,
    });
    const { Retention } = await send("GetObjectRetention", { Key: "k" });
    assert.deepEqual(Retention.RetainUntilDate, until);
    await send("PutObjectLegalHold", { Key: "k", LegalHold: { Status: "ON" } });
    const { LegalHold } = await send("GetObjectLegalHold", { Key: "k" });
    const past = { Key: "k", VersionId, BypassGovernanceRetention: true };
    const held = await failure(send("DeleteObject", past));
    await send("PutObjectLegalHold", { Key: "k", LegalHold: { Status: "OFF" } });
    const kept = await failure(send("DeleteObject", { Key: "k", VersionId }));
    await send("DeleteObject", past);
    const { Versions } = await send("ListObjectVersions");
    return { mode: Retention.Mode, hold: LegalHold.Status, held, kept, left: (Versions ?? []).length };
  },

  async encryption() {
    const key = crypto.randomBytes(32);
    const own = {
      SSECustomerAlgorithm: "AES256",
      SSECustomerKey: key.toString("base64"),
      SSECustomerKeyMD5: crypto.createHash("md5").update(key).digest("base64"),
    };
    const data = Buffer.alloc(5_300_000, "secret");
    const upload = new Upload({
      client, params: { Bucket, Key: "k", Body: data, ...own }, partSize: 5 << 20,
    });
    await upload.done();
    const got = await send("GetObject", { Key: "k", Range: "bytes=5242870-5242890", ...own });
    assert(Buffer.from(await got.Body.transformToByteArray()).equals(data.subarray(5242870, 5242891)));
    return { bare: await failure(send("GetObject", { Key: "k" })), told: got.SSECustomerAlgorithm };
  },

  async select() {
    await send("PutObject", { Key: "a.csv", Body: "name,age\nann,31\nbob,22\n" });
    const reply = await send("SelectObjectContent", {
      Key: "a.csv", ExpressionType: "SQL", Expression: "SELECT s.name FROM S3Object s WHERE s.age > 30",
      InputSerialization: { CSV: { FileHeaderInfo: "USE" } }, OutputSerialization: { JSON: {} },
    });
    let records = "", scanned = 0, ended = false;
    for await (const event of reply.Payload) {
      if (event.Records) records += Buffer.from(event.Records.Payload).toString();
      if (event.Stats) scanned = event.Stats.Details.BytesScanned;
      if (event.End) ended = true;
    }
    return { records, scanned, ended };
  },

  async presign() {
    const Key = "a b";
    // The SDK signs the checksum of the body that it does not know yet: that of none.
    const put = await getSignedUrl(client, new s3.PutObjectCommand({ Bucket, Key }),
      { expiresIn: 60 });
    const written = await fetch(put, { method: "PUT", body: "signed" });
    const get = await getSignedUrl(client, new s3.GetObjectCommand({ Bucket, Key }));
    const read = await fetch(get);
    const body = await read.text();
    const tampered = await fetch(get.replace("a%20b", "other"));
    const post = await createPresignedPost(client, {
      Bucket, Key: "up/${filename}", Expires: 60,
      Conditions: [["content-length-range", 1, 10]],
    });
    const form = new FormData();
    for (const [name, value] of Object.entries(post.fields)) form.append(name, value);
    form.append("file", new Blob(["posted"]), "p.txt");
    const posted = await fetch(post.url, { method: "POST", body: form });
    return {
      written: written.status, read: read.status, body, tampered: tampered.status,
      posted: posted.status, up: await text(await send("GetObject", { Key: "up/p.txt" })),
    };
  },

  async configurations() {
    const CORSRules = [{ AllowedMethods: ["GET"], AllowedOrigins: ["*"], MaxAgeSeconds: 5 }];
    await send("PutBucketCors", { CORSConfiguration: { CORSRules } });
    assert.deepEqual((await send("GetBucketCors")).CORSRules, CORSRules);
    await send("DeleteBucketCors");
    const IndexDocument = { Suffix: "i.html" };
    await send("PutBucketWebsite", { WebsiteConfiguration: { IndexDocument } });
    assert.deepEqual((await send("GetBucketWebsite")).IndexDocument, IndexDocument);
    await send("DeleteBucketWebsite");
    const Rules = [{
      ID: "r", Status: "Enabled", Filter: { And: { Prefix: "a/", ObjectSizeGreaterThan: 5 } },
      Expiration: { Days: 3 }, NoncurrentVersionExpiration: { NoncurrentDays: 2 },
    }];
    await send("PutBucketLifecycleConfiguration", { LifecycleConfiguration: { Rules } });
    assert.deepEqual((await send("GetBucketLifecycleConfiguration")).Rules, Rules);
    const put = await send("PutObject", { Key: "a/b", Body: "longer" });
    assert.match(put.Expiration, /rule-id="r"$/);
    await send("DeleteObject", { Key: "a/b" });
    await send("DeleteBucketLifecycle");
    return {
      lifecycle: await failure(send("GetBucketLifecycleConfiguration")),
      cors: await failure(send("GetBucketCors")),
      website: await failure(send("GetBucketWebsite")),
    };
  },
};

(async () => {
  const found = {};
  for (const one of asked) {
    const [part, bucket] = one.split("=");
    Bucket = bucket;
    try {
      found[part] = await PARTS[part]();
    } catch (error) {
      found[part] = { failed: error.stack };
    }
  }
  console.log(JSON.stringify(found));
})();
