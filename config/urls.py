"""Every address of the deployment."""

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

from config import health, second_factor, system_status

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("healthz", health.alive, name="healthz"),
    path("readyz", health.ready, name="readyz"),
    path("i18n/", include("django.conf.urls.i18n")),
    path("admin/status/", admin.site.admin_view(system_status.show), name="system_status"),
    path("admin/two-step/", second_factor.confirm, name="second_factor"),
    path("admin/two-step/settings/", second_factor.enroll, name="second_factor_settings"),
    path("admin/two-step/off/", second_factor.switch_off, name="second_factor_off"),
    path("", include("notifications.urls")),
    path("admin/", admin.site.urls),
]
