"""The menu of the admin: by task, and only what its reader may open."""

from django.contrib import admin
from django.db.models import BooleanField, ExpressionWrapper, Func, Q
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from customers.models import FollowUp

COUNTED_AT_MOST = 100

# Each entry: title, icon, model.
CUSTOMERS = [
    (_("Customers"), "group", "customers.Customer"),
    (_("Orders"), "receipt_long", "customers.Order"),
    (_("Parcels"), "package_2", "customers.Shipment"),
    (_("Appointments and the like"), "event", "customers.CustomerEvent"),
    (_("Imports"), "upload_file", "customers.SpreadsheetImport"),
    (_("Exports"), "download", "customers.Export"),
    (_("Do not contact"), "do_not_disturb_on", "customers.Suppression"),
    (_("Tags"), "sell", "customers.Tag"),
    (_("Tiers"), "workspace_premium", "customers.Tier"),
]
WRITING = [
    (_("Segments"), "filter_alt", "campaigns.Segment"),
    (_("Templates"), "edit_note", "notifications.Template"),
    (_("Campaigns"), "campaign", "campaigns.Campaign"),
    (_("Reminders"), "notifications", "campaigns.Reminder"),
    (_("Replies"), "forum", "notifications.Reply"),
    (_("Follow-ups"), "call", "customers.FollowUp"),
    (_("Sending records"), "outgoing_mail", "notifications.Delivery"),
    (_("Messages"), "sms", "notifications.Message"),
]
RULES = [
    (_("Frequency caps"), "speed", "notifications.FrequencyCap"),
    (_("Quiet hours"), "bedtime", "notifications.QuietHours"),
    (_("Signatures"), "approval", "notifications.Signature"),
    (_("Provider accounts"), "cell_tower", "notifications.ProviderAccount"),
    (_("Alerts"), "notifications_active", "notifications.Alert"),
    (_("Alert channels"), "forward_to_inbox", "notifications.AlertChannel"),
    (_("Import layouts"), "view_column", "customers.ImportLayout"),
    (_("Status words"), "dictionary", "customers.OrderStatusWord"),
    (_("Callbacks"), "webhook", "notifications.Receipt"),
    (_("API keys"), "vpn_key", "customers.ApiKey"),
    (_("Integrations"), "hub", "customers.Integration"),
    (_("Pushes of shop systems"), "move_to_inbox", "customers.WebhookCall"),
    (_("Staff"), "badge", "auth.User"),
    (_("Roles"), "admin_panel_settings", "auth.Group"),
    (_("Locked sign-ins"), "lock_person", "axes.AccessAttempt"),
]


def _calls(request: HttpRequest) -> dict:
    """How many follow-ups wait for this person or for nobody yet; red where one is overdue."""
    late = ExpressionWrapper(Q(due_at__lt=Func(function="hongyan_now")), output_field=BooleanField())
    waiting = list(FollowUp.objects.waiting_for(request.user).order_by("due_at").values_list(late)[:COUNTED_AT_MOST])
    if not waiting:
        return {}
    count = f"{COUNTED_AT_MOST - 1}+" if len(waiting) == COUNTED_AT_MOST else str(len(waiting))
    return {"badge": count, "badge_variant": "danger" if waiting[0][0] else "primary"}


BADGES = {"customers.FollowUp": _calls}


def sidebar(request: HttpRequest) -> list[dict]:
    """The groups of the menu with the entries that this person may open."""
    overview = {"title": _("Overview"), "icon": "space_dashboard", "link": reverse("admin:index")}
    settings = _entries(request, RULES)
    if request.user.has_perm("notifications.view_provideraccount"):
        settings.append({"title": _("System status"), "icon": "monitor_heart", "link": reverse("system_status")})
    if request.user.has_perm("notifications.view_brakerule"):
        settings.insert(0, {"title": _("Automatic brake"), "icon": "front_hand", "link": reverse("brake")})
    groups = [
        {"items": [overview]},
        {"title": _("Customers"), "items": _entries(request, CUSTOMERS)},
        {"title": _("Reach out"), "items": _entries(request, WRITING)},
        {"title": _("Settings"), "collapsible": True, "items": settings},
    ]
    return [group for group in groups if group["items"]]


def _entries(request: HttpRequest, entries: list[tuple]) -> list[dict]:
    """Those of the entries whose list this person may see."""
    offered = []
    for title, icon, label in entries:
        shown_by = _admin_of(label)
        if shown_by and shown_by.has_view_permission(request):
            options = shown_by.opts
            link = reverse(f"admin:{options.app_label}_{options.model_name}_changelist")
            badge = BADGES[label](request) if label in BADGES else {}
            offered.append({"title": title, "icon": icon, "link": link} | badge)
    return offered


def _admin_of(label: str) -> admin.ModelAdmin | None:
    """The page of a model, if the deployment has one."""
    for model, shown_by in admin.site._registry.items():
        if model._meta.label == label:
            return shown_by
    return None
