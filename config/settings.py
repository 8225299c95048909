"""All settings; every variable of the environment is read once, here, through config.env."""

from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

from csp.constants import NONCE, NONE, SELF, UNSAFE_EVAL, UNSAFE_INLINE
from django.utils.translation import gettext_lazy as _

from config import embedded, env
from config.secrets import secret_key, storage_keys
from config.unfold import UNFOLD

ROOT = Path(__file__).resolve().parent.parent
VAR = ROOT / "var"

# Deployment ---------------------------------------------------------------------------------
DATABASE_URL = env.text(
    "DATABASE_URL", hint="Use manage.py, which starts a server, or write postgresql://user:password@host/name."
)
DATABASES = {"default": env.database("DATABASE_URL")}
EMBEDDED = embedded.serves(DATABASE_URL)
DEBUG = env.flag("DEBUG", default=False)
if DEBUG and not EMBEDDED:
    raise env.wrong(
        "DEBUG", "is on", "Its error pages show settings and customers: it works with the embedded servers only."
    )
SECRET_KEY = secret_key(env.text("SECRET_KEY", default=""), embedded=EMBEDDED, file=VAR / "secret_key")
# What stored secrets are encrypted with, the newest key first; without one, SECRET_KEY.
SECRETS_KEYS = storage_keys(env.words("SECRETS_KEY", default=[]))
# Where staff and providers reach this deployment; links and callback addresses start with it.
PUBLIC_URL = env.url("PUBLIC_URL", default="http://localhost:8000")
PUBLIC_HOST = urlsplit(PUBLIC_URL).hostname
HTTPS = PUBLIC_URL.startswith("https://")
ALLOWED_HOSTS = env.words("ALLOWED_HOSTS", default=[PUBLIC_HOST, "localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS = [PUBLIC_URL]
# How many proxies of our own stand in front: that many last addresses of X-Forwarded-For are believed.
TRUSTED_PROXIES = env.number("TRUSTED_PROXIES", default=1 if HTTPS else 0)

# What `manage.py up` starts with.
LISTEN_HOST = env.text("LISTEN_HOST", default="127.0.0.1")
PORT = env.number("PORT", default=0, hint="Write a port such as 8090, or nothing for the first free one.")
DEMO = env.flag("DEMO", default=True)
ADMIN_USER = env.text("ADMIN_USER", default="admin")
ADMIN_PASSWORD = env.text("ADMIN_PASSWORD", default="")
ADMIN_EMAIL = env.text("ADMIN_EMAIL", default="")

# Applications --------------------------------------------------------------------------------
INSTALLED_APPS = [
    # First, because its rqcron replaces the one of django_rq.
    "config",
    "unfold",
    "unfold.contrib.filters",
    "unfold.contrib.forms",
    "unfold.contrib.import_export",
    "django.forms",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "axes",
    "csp",
    "django_otp",
    "django_otp.plugins.otp_totp",
    "django_otp.plugins.otp_static",
    "import_export",
    "django_rq",
    # Serves the pages of the API's documentation from here.
    "ninja",
    "customers",
    "notifications",
    "campaigns",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django_otp.middleware.OTPMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "config.second_factor.SecondFactorMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "axes.middleware.AxesMiddleware",
]
ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [ROOT / "templates"],
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
# Widgets of ours have templates of their own.
FORM_RENDERER = "django.forms.renderers.TemplatesSetting"

# Database ------------------------------------------------------------------------------------
DATABASES["default"] |= {"CONN_MAX_AGE": 60, "CONN_HEALTH_CHECKS": True}
DATABASES["default"]["OPTIONS"] = {"connect_timeout": 5, **DATABASES["default"].get("OPTIONS", {})}
# Set by config.wsgi: a page that takes longer is a fault, a migration or an import is not.
WEB_STATEMENT_SECONDS = env.number("WEB_STATEMENT_SECONDS", default=0)
# A worker frozen in the middle of a transaction would hold its locks, and with them everybody's sending.
_limits = {"idle_in_transaction_session_timeout": "60s"}
# Every statement is written for this isolation; a database that prefers another would refuse some of them.
_limits |= {"default_transaction_isolation": r"read\ committed"}
if WEB_STATEMENT_SECONDS:
    _limits |= {"statement_timeout": f"{WEB_STATEMENT_SECONDS}s", "lock_timeout": "5s"}
DATABASES["default"]["OPTIONS"]["options"] = " ".join(f"-c {name}={limit}" for name, limit in _limits.items())
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# Queue ---------------------------------------------------------------------------------------
REDIS_URL = env.text("REDIS_URL", hint="Use manage.py, which starts a server, or write redis://:password@host:6379/0.")
# A job is one short batch, except on "default": a spreadsheet of a million rows takes minutes.
RQ_QUEUES = {
    name: {"URL": REDIS_URL, "DEFAULT_TIMEOUT": seconds, "SERIALIZER": "json"}
    for name, seconds in {"urgent": 300, "bulk": 300, "default": 3600}.items()
}
RQ = {"WORKER_CLASS": "config.queues.Worker"}

# Log-in --------------------------------------------------------------------------------------
AUTHENTICATION_BACKENDS = [
    "config.sign_in.AddressLimit",
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "CommonPasswordValidator", "NumericPasswordValidator")
] + [{"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}}]
LOGIN_URL = "admin:login"
LOGIN_REDIRECT_URL = "admin:index"
REQUIRE_SECOND_FACTOR = env.flag("REQUIRE_SECOND_FACTOR", default=not EMBEDDED)
OTP_TOTP_ISSUER = "Hongyan"
SIGN_IN_WINDOW = timedelta(minutes=15)
SIGN_IN_FAILURES_PER_ADDRESS = 30
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = SIGN_IN_WINDOW
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_RESET_ON_SUCCESS = True
AXES_ENABLE_ACCESS_FAILURE_LOG = True
AXES_CLIENT_IP_CALLABLE = "config.sign_in.client_address"
AXES_VERBOSE = False
AXES_LOCKOUT_CALLABLE = "config.locked_out.show"

# Sessions, headers ---------------------------------------------------------------------------
SESSION_COOKIE_AGE = int(timedelta(hours=8).total_seconds())
SESSION_SAVE_EVERY_REQUEST = True  # The eight hours count from the last click.
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_HTTPONLY = True
SECURE_SSL_REDIRECT = HTTPS
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$"]
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HTTPS and TRUSTED_PROXIES else None
SECURE_HSTS_SECONDS = int(timedelta(days=365).total_seconds()) if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = HTTPS
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        # The theme's Alpine evaluates its attributes, and sets styles inline.
        "script-src": [SELF, UNSAFE_EVAL, NONCE],
        "style-src": [SELF, UNSAFE_INLINE],
        "img-src": [SELF, "data:"],
        "object-src": [NONE],
        "base-uri": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    }
}

# Files ---------------------------------------------------------------------------------------
STATIC_URL = "static/"
STATIC_ROOT = Path(env.text("STATIC_ROOT", default=str(VAR / "static")))
HASHED_STATIC_FILES = env.flag("HASHED_STATIC_FILES", default=True)
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"
        if HASHED_STATIC_FILES
        else "django.contrib.staticfiles.storage.StaticFilesStorage"
    },
}
UPLOADS = Path(env.text("UPLOADS", default=str(VAR / "uploads")))
MEDIA_ROOT = UPLOADS
UPLOAD_MAX_BYTES = env.number("UPLOAD_MAX_MEGABYTES", default=300, least=1) * 1024 * 1024
DATA_UPLOAD_MAX_MEMORY_SIZE = 5 * 1024 * 1024
DATA_UPLOAD_MAX_NUMBER_FIELDS = 5000
DATA_UPLOAD_MAX_NUMBER_FILES = 5
FILE_UPLOAD_PERMISSIONS = 0o600
FILE_UPLOAD_DIRECTORY_PERMISSIONS = 0o700

# The last sign of life of the database, kept where a backup of it does not reach: by it a restored one is known.
LAST_SEEN_FILE = Path(env.text("LAST_SEEN_FILE", default=str(VAR / "last_seen.json")))

# Exports -------------------------------------------------------------------------------------
IMPORT_EXPORT_USE_TRANSACTIONS = True
IMPORT_EXPORT_ESCAPE_FORMULAE_ON_EXPORT = True
IMPORT_EXPORT_IMPORT_PERMISSION_CODE = "import"
IMPORT_EXPORT_EXPORT_PERMISSION_CODE = "export"

# Sending -------------------------------------------------------------------------------------
SMS_PRICE = env.amount("SMS_PRICE", default="0.045")  # Yuan per segment, where an account names no price.
# Ends a process at a named point, "after_lease" or "after_lease:3"; only for the tests of faults.
CRASH_AT = env.text("HONGYAN_CRASH_AT", default="")
# The calls that a worker has in flight at once; each is a thread, and they share one processor. While they wait for a
# gateway 50 ms away the next ones are rendered: 16 calls took 20 ms of that, and the processor idled for the rest.
CALLS_IN_FLIGHT = env.number("CALLS_IN_FLIGHT", default=32, least=1, hint="Write a number such as 32.")
GATEWAY_PRIVATE_HOSTS = env.words("GATEWAY_PRIVATE_HOSTS", default=[])
# So long a provider's callbacks are kept as they came: they hold numbers and texts.
CALLBACK_DAYS = env.number("CALLBACK_DAYS", default=30, least=1)
SANDBOX_GATEWAY_URL = env.text("SANDBOX_GATEWAY_URL", default="")
SANDBOX_MAIL_URL = env.text("SANDBOX_MAIL_URL", default="")

# E-mail to staff -----------------------------------------------------------------------------
_mail = env.mail_server("EMAIL_URL")
EMAIL_IS_SET = bool(_mail.host)
EMAIL_HOST, EMAIL_PORT = _mail.host, _mail.port
EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = _mail.user, _mail.password
EMAIL_USE_SSL, EMAIL_USE_TLS = _mail.uses_ssl, _mail.uses_tls
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = env.text("EMAIL_FROM", default=ADMIN_EMAIL or "hongyan@localhost")

# Language, zone ------------------------------------------------------------------------------
LANGUAGE_CODE = "zh-hans"
LANGUAGES = [("zh-hans", _("Chinese")), ("en", _("English"))]
LOCALE_PATHS = [ROOT / "locale"]
USE_I18N = True
USE_TZ = True
TIME_ZONE = env.text("SHOP_TIME_ZONE", default="Asia/Shanghai")

# Logs ----------------------------------------------------------------------------------------
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {
            "()": "config.logs.DiscreetFormatter",
            "format": "%(asctime)s %(levelname)s %(name)s: %(message)s",
        }
    },
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": env.text("LOG_LEVEL", default="INFO").upper()},
    "loggers": {
        "django": {"handlers": [], "propagate": True},
        # A request per line is the proxy's business; here 404s of scanners would bury everything else.
        "django.request": {"level": "ERROR"},
        "django.security.DisallowedHost": {"level": "CRITICAL"},
        "django.server": {"handlers": [], "propagate": True},
        "rq": {"level": "WARNING"},
        "axes": {"level": "WARNING"},
    },
}
SILENCED_SYSTEM_CHECKS: list[str] = []
