"""What a developer's machine runs around the service; no part of it goes into the image."""
