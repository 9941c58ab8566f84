"""Django's settings. What an operator may change are environment variables, all of them read here or in `up`'s options
and listed in `docs/settings.md`.
"""

import os
from pathlib import Path
from typing import Any

from psycopg.conninfo import conninfo_to_dict

from fumibako.site.data_folder import DataFolder, default_folder
from fumibako.site.keys import read_keys


def words(name: str, default: str = "") -> list[str]:
    """The items of a comma-separated variable."""
    return [word.strip() for word in os.environ.get(name, default).split(",") if word.strip()]


def switched_on(name: str) -> bool:
    """Whether a variable says yes."""
    return os.environ.get(name, "").lower() in {"1", "true", "yes", "on"}


FUMIBAKO_DATA = Path(os.environ.get("FUMIBAKO_DATA") or default_folder()).absolute()
DATA_FOLDER = DataFolder(FUMIBAKO_DATA)

# --- Secrets ---------------------------------------------------------------------------------------------------------
FUMIBAKO_KEY_FILE = Path(os.environ.get("FUMIBAKO_KEY_FILE") or DATA_FOLDER.keys).absolute()
_keys = read_keys(FUMIBAKO_KEY_FILE)
SECRET_KEY = _keys.django
FUMIBAKO_KEYS = list(_keys.fernet)

# --- Doors -----------------------------------------------------------------------------------------------------------
FUMIBAKO_HOST = os.environ.get("FUMIBAKO_HOST") or "127.0.0.1"
FUMIBAKO_PORT = int(os.environ.get("FUMIBAKO_PORT") or 8000)
FUMIBAKO_HOSTS = words("FUMIBAKO_HOSTS")
FUMIBAKO_TRUSTED_PROXIES = words("FUMIBAKO_TRUSTED_PROXIES", "127.0.0.1,::1")
FUMIBAKO_INSECURE_LAN = switched_on("FUMIBAKO_INSECURE_LAN")
ALLOWED_HOSTS = ["*"]  # judged by fumibako.site.doors, which knows proxies

# --- Mail servers ----------------------------------------------------------------------------------------------------
FUMIBAKO_PRIVATE_HOSTS = os.environ.get("FUMIBAKO_PRIVATE_HOSTS", "")
FUMIBAKO_DNS_SERVER = os.environ.get("FUMIBAKO_DNS_SERVER", "")

# --- Logs ------------------------------------------------------------------------------------------------------------
FUMIBAKO_LOG_LEVEL = (os.environ.get("FUMIBAKO_LOG_LEVEL") or "INFO").upper()
FUMIBAKO_LOG_FORMAT = os.environ.get("FUMIBAKO_LOG_FORMAT") or "auto"
LOGGING_CONFIG = None  # fumibako.site.log does it

# --- Database --------------------------------------------------------------------------------------------------------
DATABASE_URL = os.environ.get("DATABASE_URL", "")
FUMIBAKO_DATABASE_DIRECT_URL = os.environ.get("FUMIBAKO_DATABASE_DIRECT_URL", "")
FUMIBAKO_DATABASE_POOL = int(os.environ.get("FUMIBAKO_DATABASE_POOL") or 10)


def embedded_database() -> dict[str, Any]:
    """How to reach the database of the `up` that runs on the data folder; a place without socket when none runs."""
    running = DATA_FOLDER.running()
    sockets = running.sockets if running and running.sockets else str(DATA_FOLDER.postgres)
    return {"HOST": sockets, "PORT": "", "NAME": "fumibako", "USER": "postgres", "PASSWORD": ""}


def database_of(url: str) -> dict[str, Any]:
    """Django's form of a PostgreSQL connection URL (or string), libpq's further parameters as OPTIONS."""
    parts = conninfo_to_dict(url)
    names = {"host": "HOST", "port": "PORT", "dbname": "NAME", "user": "USER", "password": "PASSWORD"}
    database: dict[str, Any] = {django: str(parts.pop(libpq, "") or "") for libpq, django in names.items()}
    return {**database, "OPTIONS": parts}


DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "CONN_MAX_AGE": 0,  # under ASGI every request is a thread: web and worker take connections from a pool
        **(database_of(DATABASE_URL) if DATABASE_URL else embedded_database()),
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- Django ----------------------------------------------------------------------------------------------------------
DEBUG = False
INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_htmx",
    "fumibako.accounts",
    "fumibako.events",
    "fumibako.linking",
    "fumibako.archive",
    "fumibako.syncing",
    "fumibako.web",
]
MIDDLEWARE = [
    "fumibako.site.requests.RequestLog",
    "django.middleware.security.SecurityMiddleware",
    "fumibako.web.security.ContentSecurityPolicy",
    "fumibako.site.doors.KnownHost",
    "fumibako.site.doors.EncryptedOnly",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "fumibako.site.language.LanguageAndClock",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]
ROOT_URLCONF = "fumibako.site.urls"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    }
]

# --- People and their logins -----------------------------------------------------------------------------------------
AUTH_USER_MODEL = "accounts.Person"
AUTHENTICATION_BACKENDS = ["fumibako.accounts.backend.PersonBackend"]
SESSION_ENGINE = "fumibako.accounts.sessions"
SESSION_COOKIE_NAME = "fumibako_session"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"  # `Secure` is added by fumibako.site.doors where the connection is
CSRF_COOKIE_NAME = "fumibako_csrf"
CSRF_COOKIE_HTTPONLY = True
CSRF_COOKIE_SAMESITE = "Lax"
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "home"

# --- What every answer says to the browser ---------------------------------------------------------------------------
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
X_FRAME_OPTIONS = "SAMEORIGIN"

# --- Languages and times ---------------------------------------------------------------------------------------------
LANGUAGE_CODE = "ja"
LANGUAGES = [("ja", "日本語"), ("en", "English")]
LANGUAGE_COOKIE_NAME = "fumibako_language"
LANGUAGE_COOKIE_AGE = 365 * 24 * 3600  # seconds
LANGUAGE_COOKIE_SAMESITE = "Lax"
LOCALE_PATHS = [Path(__file__).parents[1] / "web" / "locale"]
USE_I18N = True
USE_TZ = True
TIME_ZONE = "Asia/Tokyo"

# --- Static files ----------------------------------------------------------------------------------------------------
STATIC_URL = "/static/"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "fumibako.site.static.VersionedStaticFiles"},
}
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = False
WHITENOISE_MAX_AGE = 24 * 3600  # seconds
