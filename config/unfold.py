"""How the admin looks and what its menu offers: the theme's configuration."""

from django.templatetags.static import static
from django.urls import reverse_lazy
from django.utils.translation import gettext_lazy as _

# The lake over which the geese pass: white text on 600 has a contrast of 5.6 to 1.
LAKE = {
    "50": "oklch(98% .01 225)",
    "100": "oklch(95.5% .02 225)",
    "200": "oklch(91% .04 225)",
    "300": "oklch(84% .075 225)",
    "400": "oklch(74% .11 226)",
    "500": "oklch(62% .12 228)",
    "600": "oklch(51% .1 230)",
    "700": "oklch(45% .09 232)",
    "800": "oklch(39% .075 234)",
    "900": "oklch(33% .06 236)",
    "950": "oklch(25% .045 238)",
}

UNFOLD = {
    "SITE_TITLE": _("Hongyan"),
    "SITE_HEADER": _("Hongyan"),
    "SITE_SUBHEADER": _("Stay in touch"),
    "SITE_URL": None,
    "SITE_ICON": lambda request: static("hongyan/goose.svg"),
    "SITE_FAVICONS": [
        {"rel": "icon", "type": "image/svg+xml", "href": lambda request: static("hongyan/goose.svg")},
    ],
    "SHOW_HISTORY": True,
    "SHOW_VIEW_ON_SITE": False,
    "SHOW_LANGUAGES": True,
    "SHOW_BACK_BUTTON": True,
    "COLORS": {"primary": LAKE},
    "STYLES": [lambda request: static("hongyan/hongyan.css")],
    "GLOBAL_CALLBACK": "config.shell.on_every_page",
    "DASHBOARD_CALLBACK": "config.dashboard.show",
    "ENVIRONMENT": "config.shell.environment",
    "LOGIN": {"image": lambda request: static("hongyan/lake.svg")},
    "ACCOUNT": {
        "navigation": [
            {"title": _("Change password"), "link": reverse_lazy("admin:password_change")},
            {"title": _("Two-step sign-in"), "link": reverse_lazy("second_factor_settings")},
        ],
    },
    "SIDEBAR": {
        "show_search": True,
        "show_all_applications": False,
        "navigation": "config.menu.sidebar",
    },
}
