"""The product's settings, with keys of their own, and a database that `conftest.py` starts when a test asks for one."""

import os

for name in [name for name in os.environ if name.startswith("FUMIBAKO_") or name == "DATABASE_URL"]:
    del os.environ[name]
os.environ["FUMIBAKO_DATA"] = "/nonexistent/fumibako-tests"

from fumibako.site.settings import *  # noqa: E402, F403

SECRET_KEY = "a secret key for tests only"
FUMIBAKO_KEYS = ["dGVzdHMgb25seSwgbm90IGEgc2VjcmV0IGF0IGFsbCE="]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
