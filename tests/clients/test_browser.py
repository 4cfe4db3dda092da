"""A real browser: pages of a hosted site that speak to buckets, and forms that upload to them.

Headless Chromium, which `make test` installs, driven over its DevTools protocol by Playwright. The
pages are themselves on a website of the node, so that they have an origin of their own; names below
`localhost` lead browsers to this machine.
"""

from __future__ import annotations

import html
import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Response, sync_playwright

from tests.harness import Node

# As root, and in containers, Chromium has no sandbox of its own.
OPTIONS = ("--no-sandbox", "--disable-dev-shm-usage")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = shutil.which("chromium") or shutil.which("google-chrome")
    assert path, "there is no Chromium: scripts/apt chromium installs it"
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=path, args=list(OPTIONS))
        yield running
        running.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context()
    page = context.new_page()
    page.set_default_timeout(15_000)
    yield page
    context.close()


class Site:
    """A bucket that is a website, and what a page of it does."""

    def __init__(self, node: Node, s3: Any, bucket: str) -> None:
        self.origin = f"http://{bucket}.s3-website.localhost:{node.port}"
        self._s3 = s3
        self._bucket = bucket
        s3.put_bucket_website(
            Bucket=bucket,
            WebsiteConfiguration={
                "IndexDocument": {"Suffix": "index.html"},
                "ErrorDocument": {"Key": "error.html"},
                "RoutingRules": [
                    {
                        "Condition": {"KeyPrefixEquals": "old/"},
                        "Redirect": {"ReplaceKeyPrefixWith": "new/"},
                    }
                ],
            },
        )
        s3.put_bucket_acl(Bucket=bucket, ACL="public-read")
        self.publish("index.html", "<title>home</title><h1>home</h1><script src=a.js></script>")
        self.publish("a.js", "document.body.dataset.ran = 'yes'", kind="text/javascript")
        self.publish("error.html", "<title>sorry</title>")
        self.publish("new/page.html", "<title>new</title>")
        self.publish("dir/index.html", "<title>dir</title>")

    def publish(
        self, key: str, body: str, *, kind: str = "text/html; charset=utf-8", **parameters: Any
    ) -> None:
        self._s3.put_object(
            Bucket=self._bucket,
            Key=key,
            Body=body.encode(),
            ContentType=kind,
            ACL="public-read",
            **parameters,
        )


@pytest.fixture
def site(node: Node, s3: Any, make_bucket: Callable[..., str]) -> Site:
    return Site(node, s3, make_bucket("site"))


def visit(page: Page, url: str) -> Response:
    response = page.goto(url)
    assert response is not None
    return response


FETCH = """
async ([url, options]) => {
  try {
    const reply = await fetch(url, options);
    return {
      status: reply.status,
      body: await reply.text(),
      etag: reply.headers.get("etag"),
      type: reply.headers.get("content-type"),
    };
  } catch (error) {
    return {failed: error.name};
  }
}
"""


def fetch(page: Page, url: str, **options: Any) -> dict[str, Any]:
    """What `fetch()` gives a script of the page."""
    found: dict[str, Any] = page.evaluate(FETCH, [url, options])
    return found


# --- sites ----------------------------------------------------------------------------------


def test_a_site_is_shown_and_its_scripts_run(page: Page, site: Site) -> None:
    assert visit(page, site.origin).status == 200
    assert page.title() == "home"
    assert page.locator("h1").inner_text() == "home"
    assert page.locator("body[data-ran=yes]").count() == 1


def test_directories_and_redirects_are_followed(page: Page, site: Site) -> None:
    assert visit(page, f"{site.origin}/dir").status == 200
    assert (page.title(), page.url) == ("dir", f"{site.origin}/dir/")
    visit(page, f"{site.origin}/old/page.html")
    assert (page.title(), page.url) == ("new", f"{site.origin}/new/page.html")
    site.publish("moved", "", WebsiteRedirectLocation="/dir/")
    visit(page, f"{site.origin}/moved")
    assert (page.title(), page.url) == ("dir", f"{site.origin}/dir/")


def test_what_is_missing_is_told_by_the_error_document(page: Page, site: Site) -> None:
    assert visit(page, f"{site.origin}/missing").status == 404
    assert page.title() == "sorry"


def test_no_markup_of_an_address_is_run(
    node: Node, s3: Any, page: Page, make_bucket: Callable[..., str]
) -> None:
    bucket = make_bucket("plain")
    index = {"IndexDocument": {"Suffix": "index.html"}}
    s3.put_bucket_website(Bucket=bucket, WebsiteConfiguration=index)
    s3.put_bucket_acl(Bucket=bucket, ACL="public-read")
    s3.put_object(Bucket=bucket, Key="index.html", Body=b"x", ACL="public-read")
    host = f"http://{bucket}.s3-website.localhost:{node.port}"
    key = "<img src=x onerror=document.title='run'>"
    policy = {
        "Statement": {
            "Effect": "Allow",
            "Principal": "*",
            "Action": "s3:GetObject",
            "Resource": f"arn:aws:s3:::{bucket}/*",
        }
    }
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))
    assert visit(page, f"{host}/{key}").status == 404
    assert f"Key: {key}" in page.locator("ul").inner_text()
    assert page.title() == "404 Not Found"


# --- CORS -----------------------------------------------------------------------------------


@pytest.fixture
def shared(s3: Any, site: Site, make_bucket: Callable[..., str]) -> str:
    """A bucket that pages of the site may read and write."""
    bucket = make_bucket("shared")
    rule = {
        "AllowedMethods": ["GET", "PUT"],
        "AllowedOrigins": [site.origin],
        "AllowedHeaders": ["content-type", "x-amz-*"],
        "ExposeHeaders": ["ETag"],
    }
    s3.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": [rule]})
    s3.put_object(Bucket=bucket, Key="k", Body=b"data", ContentType="text/plain")
    return bucket


def presigned(s3: Any, operation: str, bucket: str, key: str, **parameters: Any) -> str:
    url: str = s3.generate_presigned_url(
        operation, Params={"Bucket": bucket, "Key": key, **parameters}
    )
    return url


def test_a_page_reads_what_it_may(node: Node, s3: Any, page: Page, site: Site, shared: str) -> None:
    visit(page, site.origin)
    found = fetch(page, presigned(s3, "get_object", shared, "k"))
    assert (found["status"], found["body"], found["type"]) == (200, "data", "text/plain")
    assert found["etag"] == '"8d777f385d3dfec8815d20f7496026dc"'
    # A link that is no good is told of as such, not as a broken network.
    refused = fetch(page, f"{node.endpoint}/{shared}/k")
    assert refused["status"] == 403
    assert "<Code>AccessDenied</Code>" in refused["body"]


def test_a_page_that_no_rule_allows_reads_nothing(
    s3: Any, page: Page, shared: str, node: Node, make_bucket: Callable[..., str]
) -> None:
    other = Site(node, s3, make_bucket("other"))
    visit(page, other.origin)
    url = presigned(s3, "get_object", shared, "k")
    assert fetch(page, url) == {"failed": "TypeError"}
    s3.delete_bucket_cors(Bucket=shared)
    assert fetch(page, url) == {"failed": "TypeError"}


def test_credentials_are_for_origins_that_are_named(
    s3: Any, page: Page, site: Site, shared: str
) -> None:
    visit(page, site.origin)
    url = presigned(s3, "get_object", shared, "k")
    assert fetch(page, url, credentials="include")["status"] == 200
    rule = {"AllowedMethods": ["GET"], "AllowedOrigins": ["*"]}
    s3.put_bucket_cors(Bucket=shared, CORSConfiguration={"CORSRules": [rule]})
    assert fetch(page, url)["status"] == 200
    assert fetch(page, url, credentials="include") == {"failed": "TypeError"}


def test_a_preflighted_write_comes_through(s3: Any, page: Page, site: Site, shared: str) -> None:
    visit(page, site.origin)
    url = presigned(
        s3, "put_object", shared, "written", ContentType="text/css", Metadata={"who": "me"}
    )
    headers = {"content-type": "text/css", "x-amz-meta-who": "me"}
    assert fetch(page, url, method="PUT", body="body {}", headers=headers)["status"] == 200
    found = s3.get_object(Bucket=shared, Key="written")
    assert (found["Body"].read(), found["Metadata"]) == (b"body {}", {"who": "me"})
    # A header or a method that no rule allows does not even leave the browser.
    refused = fetch(page, url, method="PUT", body="other", headers={**headers, "x-other": "a"})
    assert refused == {"failed": "TypeError"}
    url = presigned(s3, "delete_object", shared, "written")
    assert fetch(page, url, method="DELETE") == {"failed": "TypeError"}
    assert s3.get_object(Bucket=shared, Key="written")["Body"].read() == b"body {}"


# --- forms ----------------------------------------------------------------------------------


def form(action: str, fields: Mapping[str, str]) -> str:
    inputs = "".join(
        f'<input type="hidden" name="{html.escape(name)}" value="{html.escape(value)}">'
        for name, value in fields.items()
    )
    return (
        f'<form action="{action}" method="post" enctype="multipart/form-data">{inputs}'
        '<input type="file" name="file"><button>upload</button></form>'
    )


@pytest.mark.parametrize("name", ["a b.txt", 'quoted "\u20ac".txt'])
def test_a_form_uploads_what_its_policy_allows(
    s3: Any, page: Page, site: Site, make_bucket: Callable[..., str], name: str
) -> None:
    bucket = make_bucket("inbox")
    back = f"{site.origin}/dir/"
    post = s3.generate_presigned_post(
        bucket,
        "up/${filename}",
        Fields={"success_action_redirect": back, "Content-Type": "text/plain"},
        Conditions=[
            {"success_action_redirect": back},
            {"Content-Type": "text/plain"},
            ["content-length-range", 1, 100_000],
        ],
    )
    site.publish("form.html", form(post["url"], post["fields"]))
    data = b"\r\n--line\r\n" * 9000
    visit(page, f"{site.origin}/form.html")
    chosen: Any = {"name": name, "mimeType": "text/html", "buffer": data}
    page.locator("input[type=file]").set_input_files(chosen)
    page.locator("button").click()
    page.wait_for_url(f"{back}?*")
    assert page.title() == "dir"
    assert f"bucket={bucket}&key=up%2F" in page.url
    found = s3.get_object(Bucket=bucket, Key=f"up/{name}")
    assert (found["Body"].read(), found["ContentType"]) == (data, "text/plain")


def test_a_form_that_its_policy_does_not_allow_is_refused(
    s3: Any, page: Page, site: Site, make_bucket: Callable[..., str]
) -> None:
    bucket = make_bucket("inbox")
    limit = ["content-length-range", 0, 10]
    post = s3.generate_presigned_post(bucket, "k", Conditions=[limit])
    site.publish("form.html", form(post["url"], post["fields"]))
    visit(page, f"{site.origin}/form.html")
    chosen: Any = {"name": "a.txt", "mimeType": "text/plain", "buffer": b"x" * 11}
    page.locator("input[type=file]").set_input_files(chosen)
    with page.expect_navigation() as navigation:
        page.locator("button").click()
    assert navigation.value is not None
    assert navigation.value.status == 400
    assert "<Code>EntityTooLarge</Code>" in navigation.value.text()
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0
