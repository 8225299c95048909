"""The four roles of a shop and what each may do: the least that its work needs."""

from dataclasses import dataclass

from django.contrib.auth.models import Group, Permission
from django.db import transaction
from django.db.models import Q
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

OUR_APPS = ("customers", "notifications", "campaigns")
# Facts of the engine: nobody writes them by hand, and no page does.
WRITTEN_BY_THE_ENGINE = frozenset(
    f"{verb}_{model}"
    for verb in ("add", "change", "delete")
    for model in (
        *("delivery", "deliverytally", "hold", "submission", "receipt", "recentsends", "heartbeat", "message"),
        *("consentchange", "importedrow", "importedchange", "undofinding", "clockoffset"),
        *("orderline", "orderchange", "customeraccount", "shipment", "shipmentevent"),
        *("sendingswitch", "databaseidentity", "brakepull", "alert", "alertnotice"),
        *("apiusage", "apianswer", "webhookcall"),
        *("accountgauge", "healthchange", "export", "inboxitem"),
        *("reminderoccasion", "remindermessage", "keptbacktest"),
    )
) | {"add_reply", "delete_reply", "add_order", "delete_order", "delete_orderexception", "delete_customerevent"}
EVERYDAY_VIEWS = (
    *("customers.view_customer", "customers.view_contactpoint", "customers.view_tag", "customers.view_customertag"),
    *("customers.view_tier", "customers.view_consent", "customers.view_consentchange", "customers.view_suppression"),
    *("customers.view_spreadsheetimport", "customers.view_importedrow", "customers.view_layoutmemory"),
    "customers.view_importlayout",
    *("customers.view_order", "customers.view_orderline", "customers.view_orderchange"),
    *("customers.view_customeraccount", "customers.view_orderstatusword", "customers.view_followup"),
    *("customers.view_orderexception", "customers.view_shipment", "customers.view_shipmentevent"),
    "customers.view_customerevent",
    *("notifications.view_template", "notifications.view_signature", "notifications.view_message"),
    *("notifications.view_delivery", "notifications.view_submission", "notifications.view_hold"),
    *("notifications.view_reply", "notifications.view_inboxitem"),
    *("notifications.view_frequencycap", "notifications.view_quiethours"),
    *("notifications.view_brakerule", "notifications.view_brakepull", "notifications.view_alert"),
    *("campaigns.view_segment", "campaigns.view_campaign", "campaigns.view_variant"),
    *("campaigns.view_reminder", "campaigns.view_reminderstep"),
)
CUSTOMER_WORK = (
    *("customers.add_customer", "customers.change_customer", "customers.import_customer"),
    *("customers.add_contactpoint", "customers.change_contactpoint", "customers.delete_contactpoint"),
    *("customers.add_consent", "customers.change_consent"),
    *("customers.add_suppression", "customers.add_spreadsheetimport", "customers.change_spreadsheetimport"),
    *("customers.add_tag", "customers.add_customertag", "customers.change_customertag"),
    "customers.delete_customertag",
    *("customers.add_importlayout", "customers.change_importlayout", "customers.delete_importlayout"),
    *("customers.add_orderstatusword", "customers.change_orderstatusword", "customers.change_order"),
    *("customers.add_orderexception", "customers.change_orderexception"),
    *("customers.add_customerevent", "customers.change_customerevent"),
    *("notifications.change_reply", "customers.add_followup", "customers.change_followup"),
)
CAMPAIGN_WORK = (
    *("notifications.add_template", "notifications.change_template", "notifications.change_message"),
    *("campaigns.add_segment", "campaigns.change_segment", "campaigns.delete_segment"),
    *("campaigns.add_campaign", "campaigns.change_campaign", "campaigns.delete_campaign"),
    *("campaigns.add_variant", "campaigns.change_variant", "campaigns.delete_variant"),
    *("campaigns.add_reminder", "campaigns.change_reminder", "campaigns.delete_reminder"),
    *("campaigns.add_reminderstep", "campaigns.change_reminderstep", "campaigns.delete_reminderstep"),
    *("campaigns.activate_reminder", "campaigns.launch_campaign", "campaigns.pause_campaign"),
    "campaigns.cancel_campaign",
    *("campaigns.test_campaign", "notifications.stop_sending", "notifications.resend_delivery"),
)
# Who holds one of these can reach many people or carry them out of the house: a password is not enough.
GUARDED_BY_SECOND_FACTOR = (
    *("campaigns.launch_campaign", "campaigns.test_campaign", "campaigns.activate_reminder"),
    "customers.export_customer",
    *("customers.export_order", "notifications.export_delivery", "campaigns.export_campaign"),
)


@dataclass(frozen=True)
class Role:
    """One role: its name and use in words, and its permissions (None: all that the shop's apps have)."""

    label: Promise
    meaning: Promise
    permissions: tuple[str, ...] | None


ROLES = {
    "owner": Role(_("Owner"), _("Runs the shop: everything, the settings and staff included."), None),
    "marketer": Role(
        _("Marketer"),
        _("Writes, plans and starts campaigns and imports customers; no export, no settings."),
        (
            *EVERYDAY_VIEWS,
            *CUSTOMER_WORK,
            *CAMPAIGN_WORK,
            *("customers.declare_consent", "customers.undo_import", "customers.view_full_address"),
        ),
    ),
    "clerk": Role(
        _("Clerk"),
        _("Looks after customers and imports lists; sees what was sent, starts nothing."),
        (*EVERYDAY_VIEWS, *CUSTOMER_WORK, "customers.view_full_address"),
    ),
    "auditor": Role(
        _("Auditor"),
        _("Sees everything with its evidence and changes nothing; phone numbers are masked."),
        (
            *EVERYDAY_VIEWS,
            "customers.view_export",
            *("notifications.view_provideraccount", "notifications.view_receipt", "notifications.view_heartbeat"),
            *("notifications.view_alertchannel", "notifications.view_alertnotice", "notifications.view_sendingswitch"),
            *("auth.view_user", "auth.view_group", "axes.view_accessattempt"),
        ),
    ),
}


def label_of(name: str) -> str | Promise:
    """The name of a role in the reader's language; other groups keep theirs."""
    return ROLES[name].label if name in ROLES else name


@transaction.atomic
def write() -> dict[str, int]:
    """
    Make the roles' groups hold exactly their permissions; answers how many each holds.

    Raises LookupError if a permission is not in the database, which a migration would have made.
    """
    counts = {}
    for name, role in ROLES.items():
        permissions = _owners() if role.permissions is None else _named(role.permissions)
        group, _created = Group.objects.get_or_create(name=name)
        group.permissions.set(permissions)
        counts[name] = len(permissions)
    return counts


def _owners() -> list[Permission]:
    """All that can be done in the shop's apps, staff accounts and unlocking sign-ins."""
    of_shop = Q(content_type__app_label__in=OUR_APPS) & ~(
        Q(codename__in=WRITTEN_BY_THE_ENGINE) & ~Q(codename="change_message")
    )
    of_staff = Q(content_type__app_label="auth", codename__in=["add_user", "change_user", "view_user", "view_group"])
    of_locks = Q(content_type__app_label="axes", codename__in=["view_accessattempt", "delete_accessattempt"])
    return list(Permission.objects.filter(of_shop | of_staff | of_locks))


def _named(names: tuple[str, ...]) -> list[Permission]:
    """The permissions of these names."""
    wanted = set(names)
    found = {
        f"{permission.content_type.app_label}.{permission.codename}": permission
        for permission in Permission.objects.select_related("content_type").filter(
            codename__in=[name.partition(".")[2] for name in wanted]
        )
    }
    if missing := sorted(wanted - set(found)):
        raise LookupError(f"No such permission: {', '.join(missing)}. Run: manage.py migrate")
    return [found[name] for name in wanted]


def in_words(group: Group) -> str:
    """What the members of a group may do, by thing."""
    verbs: dict[str, list[str]] = {}
    for permission in group.permissions.select_related("content_type").order_by("content_type_id", "codename"):
        model = permission.content_type.model_class()
        thing = str(model._meta.verbose_name_plural) if model else permission.content_type.model
        verbs.setdefault(thing, []).append(_verb(permission))
    return "; ".join(f"{thing}: {', '.join(done)}" for thing, done in verbs.items())


def _verb(permission: Permission) -> str:
    """One permission as a word or a sentence."""
    usual = {"view": _("see"), "add": _("add"), "change": _("change"), "delete": _("delete")}
    verb, _underscore, model = permission.codename.partition("_")
    if verb in usual and model == permission.content_type.model:
        return str(usual[verb])
    own = dict(permission.content_type.model_class()._meta.permissions)
    return str(own.get(permission.codename, permission.name))
