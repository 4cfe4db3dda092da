"""`RadosBlobs`: blobs in Ceph. It is in `blobs`; the rest is its parts."""
