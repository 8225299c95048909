"""Pages for staff accounts and roles, in the look of the theme."""

from collections.abc import Callable
from functools import wraps

from axes.admin import AccessAttemptAdmin as PlainAccessAttemptAdmin
from axes.models import AccessAttempt, AccessFailureLog, AccessLog
from django import forms
from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import SEARCH_VAR, ChangeListSearchForm
from django.contrib.auth.admin import GroupAdmin as PlainGroupAdmin
from django.contrib.auth.admin import UserAdmin as PlainUserAdmin
from django.contrib.auth.models import Group, User
from django.core.exceptions import PermissionDenied
from django.utils.translation import gettext_lazy as _
from django_otp.plugins.otp_static import admin as otp_static_admin
from django_otp.plugins.otp_totp import admin as otp_totp_admin
from django_rq.admin import QueueAdmin
from django_rq.models import Dashboard
from unfold.admin import ModelAdmin
from unfold.decorators import display
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm
from unfold.views import ChangeList

from config import roles

LONGEST_SEARCH = 100

# Those pages have another look, show secrets or let too many in; ours below, or none, take their place.
REPLACED = [
    *(User, Group, AccessAttempt, AccessLog, AccessFailureLog, Dashboard),
    *(otp_totp_admin.TOTPDevice, otp_static_admin.StaticDevice),
]
admin.site.unregister([model for model in REPLACED if admin.site.is_registered(model)])


class BoundedSearch(ChangeListSearchForm):
    """The search of a list, cut with a sentence where it is too long."""

    def clean(self) -> dict:
        """Cut ten thousand words, each of which would be a condition of its own."""
        cleaned = super().clean()
        term = cleaned.get(SEARCH_VAR, "")
        if len(term) > LONGEST_SEARCH:
            words = _("The search is too long: only its first %(maximum)d characters were looked for.")
            self.add_error(None, words % {"maximum": LONGEST_SEARCH})
            cleaned[SEARCH_VAR] = term[:LONGEST_SEARCH]
        return cleaned


def storable_filters(shown: ChangeList, params: dict | None = None) -> dict:
    """The filters in the address of a list; one with a NUL byte, which PostgreSQL takes nowhere, makes no sense."""
    found = super(ChangeList, shown).get_filters_params(params)
    if any("\0" in value for values in found.values() for value in values):
        raise IncorrectLookupParameters
    return found


# Every list of ours is one of the theme's.
ChangeList.search_form_class = BoundedSearch
ChangeList.get_filters_params = storable_filters


class RoleChoice(forms.ModelMultipleChoiceField):
    """Groups under the names of their roles."""

    def label_from_instance(self, group: Group) -> str:
        """The role in the reader's language, with what it may do."""
        role = roles.ROLES.get(group.name)
        return f"{role.label} – {role.meaning}" if role else group.name


@admin.register(User)
class UserAdmin(PlainUserAdmin, ModelAdmin):
    """Staff: their names, roles and passwords."""

    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ["username", "full_name", "role_names", "active", "last_login"]
    list_filter = ["groups", "is_active"]
    filter_horizontal = []
    search_fields = ["username", "first_name", "last_name", "email"]
    fieldsets = [
        (None, {"fields": ["username", "password"]}),
        (_("Person"), {"fields": ["last_name", "first_name", "email"]}),
        (_("May do"), {"fields": ["is_active", "is_staff", "groups", "is_superuser"]}),
        (_("Dates"), {"fields": ["last_login", "date_joined"]}),
    ]
    add_fieldsets = [
        (None, {"fields": ["username", "usable_password", "password1", "password2"]}),
    ]
    readonly_fields = ["last_login", "date_joined"]

    def get_queryset(self, request):
        """Staff with their groups."""
        return super().get_queryset(request).prefetch_related("groups")

    def get_readonly_fields(self, request, obj=None):
        """Only a superuser makes superusers, and nobody raises or locks out oneself."""
        fields = list(super().get_readonly_fields(request, obj))
        if not request.user.is_superuser:
            fields.append("is_superuser")
            if obj and (obj.is_superuser or obj == request.user):
                fields += ["is_active", "is_staff", "groups"]
        return fields

    def has_change_permission(self, request, obj=None):
        """A superuser's account, password included, is changed by superusers alone."""
        if obj and obj.is_superuser and not request.user.is_superuser:
            return False
        return super().has_change_permission(request, obj)

    def has_delete_permission(self, request, obj=None):
        """Accounts are switched off, not deleted: evidence names them."""
        return False

    def formfield_for_manytomany(self, db_field, request, **options):
        """Roles as a list of boxes."""
        if db_field.name == "groups":
            return RoleChoice(
                Group.objects.order_by("id"),
                required=False,
                label=_("Roles"),
                widget=forms.CheckboxSelectMultiple,
            )
        return super().formfield_for_manytomany(db_field, request, **options)

    @display(description=_("Name"))
    def full_name(self, user: User) -> str:
        """Family name first, as one writes it."""
        return f"{user.last_name}{user.first_name}" or "–"

    @display(description=_("Roles"), label=True)
    def role_names(self, user: User) -> list[str]:
        """The roles in the reader's language."""
        names = [roles.label_of(group.name) for group in user.groups.all()]
        return ([str(_("Administrator"))] if user.is_superuser else []) + names

    @display(description=_("Active"), boolean=True)
    def active(self, user: User) -> bool:
        """Whether the account may sign in."""
        return user.is_active


@admin.register(Group)
class RoleAdmin(PlainGroupAdmin, ModelAdmin):
    """The roles as the `roles` command wrote them; to be read, not edited."""

    list_display = ["role_name", "meaning"]
    fields = ["role_name", "meaning", "may"]
    filter_horizontal = []
    search_fields = []

    def has_add_permission(self, request):
        """Roles come with the program."""
        return False

    def has_change_permission(self, request, obj=None):
        """Roles come with the program."""
        return False

    def has_delete_permission(self, request, obj=None):
        """Roles come with the program."""
        return False

    @display(description=_("Role"))
    def role_name(self, group: Group) -> str:
        """The role in the reader's language."""
        return str(roles.label_of(group.name))

    @display(description=_("For whom"))
    def meaning(self, group: Group) -> str:
        """What the role is for."""
        role = roles.ROLES.get(group.name)
        return str(role.meaning) if role else ""

    @display(description=_("May do"))
    def may(self, group: Group) -> str:
        """The permissions in words."""
        return roles.in_words(group)


@admin.register(AccessAttempt)
class LockedSignInAdmin(PlainAccessAttemptAdmin, ModelAdmin):
    """Failed sign-ins; deleting one lets its person try again."""

    list_display = ["attempt_time", "username", "ip_address", "failures_since_start"]
    list_filter = []
    search_fields = ["username", "ip_address"]
    fieldsets = None
    fields = ["attempt_time", "username", "ip_address", "user_agent", "failures_since_start"]
    readonly_fields = fields
    date_hierarchy = None
    actions = None


class SuperuserQueueAdmin(QueueAdmin):
    """The queue's own pages; they show the inside of jobs, so superusers alone see them."""

    def has_module_permission(self, request):
        """Superusers alone."""
        return request.user.is_superuser

    def has_view_permission(self, request, obj=None):
        """Superusers alone."""
        return request.user.is_superuser

    def has_change_permission(self, request, obj=None):
        """Superusers alone."""
        return request.user.is_superuser

    def get_urls(self):
        """The queue's addresses, each behind the same door; theirs would let all staff in."""
        # The pages of single rows ask a table that does not exist.
        patterns = [one for one in super().get_urls() if "object_id" not in str(one.pattern)]
        for pattern in patterns:
            pattern.callback = superusers_only(pattern.callback)
        return patterns


def superusers_only(view: Callable) -> Callable:
    """The view, refused to everybody else."""

    @wraps(view)
    def guarded(request, *args, **kwargs):
        if request.user.is_authenticated and not (request.user.is_active and request.user.is_superuser):
            raise PermissionDenied
        return admin.site.admin_view(view)(request, *args, **kwargs)

    return guarded


admin.site.register(Dashboard, SuperuserQueueAdmin)
