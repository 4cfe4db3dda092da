"""The client reaches the node, and an object makes the round."""

from aistore import Client
from aistore.sdk.bucket import Bucket


def test_an_object_makes_the_round(client: Client, bucket: Bucket) -> None:
    assert client.cluster().is_ready()
    written = bucket.object("dir/name").get_writer().put_content(b"some bytes")
    assert written.status_code == 200
    assert bucket.object("dir/name").get_reader().read_all() == b"some bytes"
    assert [entry.name for entry in bucket.list_all_objects()] == ["dir/name"]
