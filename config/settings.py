"""Every setting, read from the environment once; a bad value stops the program with one sentence."""

import os
from pathlib import Path

import config.celery  # noqa: F401 (whoever queues a task does it through this application)
from config import environment
from config.data_folder import prepare_data_folder

BASE_DIR = Path(__file__).resolve().parent.parent
DATA_FOLDER = prepare_data_folder(Path(environment.text("MARROWLOOP_DATA", str(BASE_DIR / "var"))).resolve())

DEBUG = environment.boolean("MARROWLOOP_DEBUG", False)
SECRET_KEY = environment.secret_key("MARROWLOOP_SECRET_KEY", DATA_FOLDER)
ALLOWED_HOSTS = environment.listing("MARROWLOOP_ALLOWED_HOSTS", ["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS = environment.listing("MARROWLOOP_TRUSTED_ORIGINS", [])
# Behind TLS the cookies are for TLS alone; ./run on a laptop speaks plain HTTP to this machine.
BEHIND_TLS = environment.boolean("MARROWLOOP_TLS", False)

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "pgtrigger",
    "pghistory",
    "rest_framework",
    "drf_spectacular",
    "django_htmx",
    "csp",
    "annotation",
    "training",
    "inference",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    # Tells the database's history triggers who is at work.
    "pghistory.middleware.HistoryMiddleware",
]

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": False,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

# --- services: those of the environment, or embedded ones under the data folder ---
_database_url = os.environ.get("DATABASE_URL", "")
_broker_url = os.environ.get("BROKER_URL", "")
if not (_database_url and _broker_url):
    from config.embedded import ensure_services

    _services = ensure_services(DATA_FOLDER, postgres=not _database_url, valkey=not _broker_url)
    _database_url = _database_url or _services.database_url
    _broker_url = _broker_url or _services.broker_url

DATABASES = {"default": environment.database_url(_database_url)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

CELERY_BROKER_URL = _broker_url
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_ROUTES = {
    # Somebody waits for it: a queue of its own, never behind a round or a pass over all images.
    "inference.retrain_head": {"queue": "interactive"},
    "inference.explain_cell": {"queue": "interactive"},
    "training.*": {"queue": "training"},
    "inference.*": {"queue": "inference"},
}
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
# A round may run for hours; a message that nobody acknowledged for a day is delivered again.
CELERY_BROKER_TRANSPORT_OPTIONS = {"visibility_timeout": 86_400}
# A worker writes to its job about every second; after so long a silence it is taken for dead.
JOB_SILENCE_SECONDS = environment.integer("MARROWLOOP_JOB_SILENCE", 45, 2, 3600)

# --- history ---
# When a change was written, under the lock on its image, and not when its transaction began: that may have waited for
# the lock, and would be taken for older than what it came after (training/freeze.py).
PGHISTORY_CREATED_AT_FUNCTION = "CLOCK_TIMESTAMP()"

# --- people ---
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "sign-in"
LOGIN_REDIRECT_URL = "studies"
LOGOUT_REDIRECT_URL = "sign-in"
SESSION_COOKIE_AGE = 14 * 86_400
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = BEHIND_TLS
CSRF_COOKIE_SECURE = BEHIND_TLS
CSRF_COOKIE_SAMESITE = "Lax"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_HSTS_SECONDS = 31_536_000 if BEHIND_TLS else 0
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if BEHIND_TLS else None
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'none'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "img-src": ["'self'", "data:", "blob:"],
        "connect-src": ["'self'"],
        "font-src": ["'self'"],
        "form-action": ["'self'"],
        "base-uri": ["'none'"],
        "frame-ancestors": ["'none'"],
    }
}

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["annotation.api.session.SessionAuthentication"],
    "EXCEPTION_HANDLER": "annotation.api.errors.answer",
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Marrowloop",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.IsAuthenticated"],
}

# --- images ---
IMAGE_STORE = DATA_FOLDER / "images"
# What finds the border of the cell in a picture of one: by name, since annotation knows nothing of models.
CENTRE_BORDER = "inference.centre_border.CentreBorder"
SNAPSHOT_FOLDER = DATA_FOLDER / "snapshots"
ROUND_FOLDER = DATA_FOLDER / "rounds"
BUNDLE_FOLDER = DATA_FOLDER / "bundles"
# Decoded images at training scale: may be deleted at any time, and what was not used for longest is.
PIXEL_CACHE = DATA_FOLDER / "cache" / "pixels"
PIXEL_CACHE_GIB = environment.integer("MARROWLOOP_PIXEL_CACHE_GIB", 10, 0)
# The gallery's crops, below DATA_FOLDER/cache: as expendable.
CROP_CACHE_GIB = environment.integer("MARROWLOOP_CROP_CACHE_GIB", 4, 0)
# Pixels of the largest image that intake decodes (a 40x scan of 20,000 x 10,000 fits).
PIXEL_BUDGET = environment.integer("MARROWLOOP_PIXEL_BUDGET", 200_000_000)
UPLOAD_BUDGET = environment.integer("MARROWLOOP_UPLOAD_BUDGET", 512 * 1024 * 1024)
DATA_UPLOAD_MAX_MEMORY_SIZE = 32 * 1024 * 1024
FILE_UPLOAD_MAX_MEMORY_SIZE = 8 * 1024 * 1024

# --- static files ---
STATIC_URL = "/static/"
STATIC_ROOT = DATA_FOLDER / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": environment.text(
            "MARROWLOOP_STATIC_STORAGE", "whitenoise.storage.CompressedManifestStaticFilesStorage"
        )
    },
}
WHITENOISE_USE_FINDERS = DEBUG

LANGUAGE_CODE = "en-gb"
TIME_ZONE = environment.text("MARROWLOOP_TIME_ZONE", "UTC")
USE_I18N = False
USE_TZ = True

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": environment.text("MARROWLOOP_LOG_LEVEL", "INFO")},
}
