"""Every address of the deployment."""

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

from config import api, brake, health, second_factor, stopping, system_status
from customers.api import problems

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("healthz", health.alive, name="healthz"),
    path("readyz", health.ready, name="readyz"),
    path("i18n/", include("django.conf.urls.i18n")),
    path("admin/status/", admin.site.admin_view(system_status.show), name="system_status"),
    path("admin/brake/", admin.site.admin_view(brake.show), name="brake"),
    path("admin/stop/", admin.site.admin_view(stopping.show), name="stop_sending"),
    path("admin/stop/everything/", admin.site.admin_view(stopping.stop_everything), name="stop_everything"),
    path("admin/stop/resume/", admin.site.admin_view(stopping.resume), name="resume_sending"),
    path(
        "admin/stop/campaign/<int:campaign_id>/", admin.site.admin_view(stopping.stop_campaign), name="stop_campaign"
    ),
    path("admin/two-step/", second_factor.confirm, name="second_factor"),
    path("admin/two-step/settings/", second_factor.enroll, name="second_factor_settings"),
    path("admin/two-step/off/", second_factor.switch_off, name="second_factor_off"),
    path("api/v1/", api.api.urls),
    path("api/v1/<path:rest>", problems.not_found),
    path("", include("customers.urls")),
    path("", include("notifications.urls")),
    path("admin/", admin.site.urls),
]
