"""Every setting. What the environment decides is read once, here at the top."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from portal import counting
from portal import environment as env

# Before numpy is imported. What is multiplied here is small, and OpenBLAS has threads that spin for a while
# after each product: they took as much of the processor as the rest of a search (docs/adr/0040).
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

BASE_DIR = Path(__file__).resolve().parent.parent
#: As in ``pyproject.toml``; receipts name it.
VERSION = "0.1.0"

# --- What the environment decides (docs/configuration.md lists each) ------------------------

DATA_DIR = Path(env.text("DATA_DIR", str(BASE_DIR / ".data"))).expanduser().absolute()
DATA_DIR.mkdir(mode=0o700, parents=True, exist_ok=True)
MODELS_DIR = Path(env.text("MODELS_DIR", str(DATA_DIR / "models")))
PORT = env.integer("PORT", 8000, minimum=1)
SECRET_KEY = env.text("SECRET_KEY") or env.kept_secret(DATA_DIR / "secrets" / "django")
# The local names are always allowed: health checks come by them.
ALLOWED_HOSTS = [*env.words("ALLOWED_HOSTS"), "localhost", "127.0.0.1", "[::1]"]
DEBUG = env.boolean("DEBUG", default=False)
HTTPS_ONLY = env.boolean("HTTPS_ONLY", default=False)
DATABASE_URL = env.text("DATABASE_URL")
DATABASE_REPLICA_URLS = env.words("DATABASE_REPLICA_URLS")
DATABASE_POOL_SIZE = env.integer("DATABASE_POOL_SIZE", 10, minimum=2)
REDIS_URL = env.text("REDIS_URL")
WEB_PROCESSES = env.integer("WEB_PROCESSES", 1, minimum=1)
UPLOAD_LIMIT_MB = env.integer("UPLOAD_LIMIT_MB", 50, minimum=1)
OCR_LANGUAGES = env.text("OCR_LANGUAGES", "eng")
EMBEDDING_MODEL = env.text("EMBEDDING_MODEL", "sentence-transformers/all-MiniLM-L6-v2")
EMBEDDING_ENGINE = env.text("EMBEDDING_ENGINE", "auto")
MODEL_WARMING = env.boolean("MODEL_WARMING", default=True)
RERANKER_MODEL = env.text("RERANKER_MODEL")
NLI_MODEL = env.text("NLI_MODEL")
UNSUPPORTED_SENTENCES = env.text("UNSUPPORTED_SENTENCES", "mark")
LLM_BASE_URL = env.text("LLM_BASE_URL")
LLM_API_KEY = env.text("LLM_API_KEY")
LLM_MODEL = env.text("LLM_MODEL")
LLM_CONTEXT_TOKENS = env.integer("LLM_CONTEXT_TOKENS", 8192, minimum=1024)
LLM_FIRST_TOKEN_SECONDS = env.integer("LLM_FIRST_TOKEN_SECONDS", 30, minimum=1)
LLM_TIMEOUT_SECONDS = env.integer("LLM_TIMEOUT_SECONDS", 60, minimum=1)
CACHE_TTL_SECONDS = env.integer("CACHE_TTL_SECONDS", 24 * 60 * 60)
CACHE_WARMING = env.boolean("CACHE_WARMING", default=True)
SEMANTIC_CACHE_THRESHOLD = env.share("SEMANTIC_CACHE_THRESHOLD", 0.0)
METRICS_TOKEN = env.text("METRICS_TOKEN")
WORKER_METRICS_PORT = env.integer("WORKER_METRICS_PORT", 0)
WORKER_METRICS_HOST = env.text("WORKER_METRICS_HOST", "127.0.0.1")
LOG_LEVEL = env.text("LOG_LEVEL", "INFO").upper()

#: Both servers are outside, or both are embedded: half of each is refused at boot (checks).
EMBEDDED = not (DATABASE_URL or REDIS_URL)

PROMETHEUS_EXPORT_MIGRATIONS = False
# With several processes the counts live in files; prometheus_client wants their folder to be there.
if METRICS_DIR := env.text("PROMETHEUS_MULTIPROC_DIR"):
    Path(METRICS_DIR).mkdir(parents=True, exist_ok=True)
    counting.begin()
PROMETHEUS_LATENCY_BUCKETS = (
    *(0.002, 0.005, 0.01, 0.025, 0.06, 0.1, 0.15, 0.2, 0.25, 0.5),
    *(1.0, 1.5, 2.0, 5.0, 10.0, 30.0, 120.0),
    float("inf"),
)

# --- Applications ---------------------------------------------------------------------------

INSTALLED_APPS = [
    "portal",
    "portal.accounts",
    "search",
    "documents",
    "portal.administration.AdministrationConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.humanize",
    "django.contrib.messages",
    "django.contrib.postgres",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "channels",
    "django_prometheus",
    "drf_spectacular",
    "procrastinate.contrib.django",
    "rest_framework",
]

MIDDLEWARE = [
    "django_prometheus.middleware.PrometheusBeforeMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "portal.middleware.static_files",
    "portal.middleware.content_security_policy",
    "portal.middleware.request_latency",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "portal.middleware.reader",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "portal.middleware.pages_for_forms",
    "django_prometheus.middleware.PrometheusAfterMiddleware",
]

ROOT_URLCONF = "portal.urls"
ASGI_APPLICATION = "portal.asgi.application"
APPEND_SLASH = True

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

# --- Data -----------------------------------------------------------------------------------

if EMBEDDED:
    from portal.embedded.layout import Layout

    EMBEDDED_LAYOUT = Layout(DATA_DIR)
    DATABASE_ADDRESS: dict[str, Any] = EMBEDDED_LAYOUT.database(
        env.kept_secret(EMBEDDED_LAYOUT.password_file)
    )
    REDIS_LOCATION = EMBEDDED_LAYOUT.redis_url
else:
    DATABASE_ADDRESS = env.database(DATABASE_URL, "DATABASE_URL")
    REDIS_LOCATION = REDIS_URL

DATABASE_OPTIONS = DATABASE_ADDRESS.pop("OPTIONS", {})
DATABASES = {
    "default": {
        "ENGINE": "django_prometheus.db.backends.postgresql",
        **DATABASE_ADDRESS,
        "CONN_MAX_AGE": 0,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {
            "pool": {"min_size": 1, "max_size": DATABASE_POOL_SIZE, "timeout": 5},
            "connect_timeout": 5,
            **DATABASE_OPTIONS,
        },
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

CACHES = {
    "default": {
        "BACKEND": "django_redis.cache.RedisCache",
        "LOCATION": REDIS_LOCATION,
        "KEY_PREFIX": "portal",
        "OPTIONS": {
            # A cache that is gone makes the portal slower, never broken.
            "IGNORE_EXCEPTIONS": True,
            "SOCKET_CONNECT_TIMEOUT": 0.5,
            "SOCKET_TIMEOUT": 0.5,
        },
    }
}
DJANGO_REDIS_LOG_IGNORED_EXCEPTIONS = True

CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        "CONFIG": {
            "hosts": [{"address": REDIS_LOCATION, "socket_connect_timeout": 0.5}],
            "prefix": "portal",
        },
    }
}

STORAGES = {
    "default": {
        "BACKEND": "django.core.files.storage.FileSystemStorage",
        "OPTIONS": {"location": str(DATA_DIR / "files"), "file_permissions_mode": 0o600},
    },
    "staticfiles": {"BACKEND": "portal.static_storage.StaticStorage"},
}
STATIC_URL = "static/"
STATIC_ROOT = DATA_DIR / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
# Compressing by brotli takes a first start 11 s more and saves some kilobytes once for each browser.
SERVESTATIC_USE_BROTLI = False
# On the same disk as the originals, so that storing a large upload is a rename.
FILE_UPLOAD_TEMP_DIR = DATA_DIR / "uploads"
FILE_UPLOAD_TEMP_DIR.mkdir(mode=0o700, parents=True, exist_ok=True)
FILE_UPLOAD_HANDLERS = [
    "django.core.files.uploadhandler.MemoryFileUploadHandler",
    "documents.receiving.HashingUploadHandler",
]
DATA_UPLOAD_MAX_MEMORY_SIZE = 5 * 1024 * 1024
UPLOAD_LIMIT = UPLOAD_LIMIT_MB * 1024 * 1024
INTEGRITY_CHECKS = [
    "documents.integrity.rows.CHECKS",
    "documents.integrity.outside.CHECKS",
    "documents.integrity.vocabulary.CHECKS",
    "search.integrity.CHECKS",
]
#: Sentences that are stored in English and shown in the reader's language.
TOLD = ["documents.told.SENTENCES", "search.told.SENTENCES"]
#: What the workers' sweep calls: dotted path → seconds between two calls.
PERIODIC = {
    "documents.services.binning.bin_empty": 15,
    "search.golden.sweep": 60,
    "search.warming.sweep": 15,
    "documents.prewarming.sweep": 15,
    "search.audit.daily": 24 * 60 * 60,
}

# --- People ---------------------------------------------------------------------------------

LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "login"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]

LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("de", "Deutsch")]
LANGUAGE_COOKIE_NAME = "language"
LANGUAGE_COOKIE_AGE = 365 * 24 * 60 * 60
LANGUAGE_COOKIE_SAMESITE = "Lax"
LANGUAGE_COOKIE_SECURE = HTTPS_ONLY
FORMAT_MODULE_PATH = ["portal.formats"]
TIME_ZONE = "UTC"
USE_TZ = True

# --- Doors ----------------------------------------------------------------------------------

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "portal.accounts.authentication.TokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["portal.json_renderer.FastJSONRenderer"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "portal.problems.exception_handler",
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Document portal",
    "DESCRIPTION": "Upload documents, search them, and ask questions that are answered with evidence.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": "/api/v1/",
}

SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_SSL_REDIRECT = HTTPS_ONLY
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS_ONLY else 0
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HTTPS_ONLY else None
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS_ONLY
SESSION_ENGINE = "django.contrib.sessions.backends.db"
X_FRAME_OPTIONS = "DENY"
CSRF_FAILURE_VIEW = "portal.problems.csrf_failure"
# Probes and scrapers come by plain HTTP from inside.
SECURE_REDIRECT_EXEMPT = [r"^healthz/", r"^metrics$"]

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": "WARNING"},
    "loggers": {
        **{name: {"level": LOG_LEVEL} for name in ("portal", "documents", "search")},
        # While the database is away each of a pool's tries is a warning; who waits for it says so once.
        "psycopg.pool": {"level": "ERROR"},
    },
}
