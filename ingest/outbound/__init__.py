"""What `ingest.http` stands on: the transport that every request passes, and its checks."""
