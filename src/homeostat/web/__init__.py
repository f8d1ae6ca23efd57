"""What the process answers over HTTP. Today that is whether it lives, whether it is ready, and what it has counted; no user signs in here."""
