"""Sign-in with OpenID Connect: `oidc.py` knows the provider, `routes.py` the browser, `door.py`
who sends a request. `claims.py` says what somebody may do, by what the provider tells of him."""
