"""The template editor: the text, its variables, and beside it what real customers would read."""

from collections.abc import Callable

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import F, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST
from unfold.admin import ModelAdmin
from unfold.decorators import action, display
from unfold.widgets import UnfoldAdminTextareaWidget

from customers import clock
from customers.choices import Channel
from notifications import rendering, text
from notifications.admin import registered, template_preview
from notifications.admin.dialogs import ask, done, number_in
from notifications.admin.history import TranslatedHistory
from notifications.models import Template

# The channels that templates are written for.
WRITTEN = (Channel.SMS, Channel.EMAIL, Channel.INBOX)
# A shop knows many numbers without a name: the text must read well for them too.
INSERTED = {"name": '{{ name or "顾客" }}'}


class TextWithVariables(UnfoldAdminTextareaWidget):
    """A text area under a row of variables that are inserted by a click."""

    template_name = "admin/notifications/template/text_with_variables.html"

    def get_context(self, name, value, attrs):
        """The variables a text may use, with what they mean."""
        context = super().get_context(name, value, attrs)
        context["variables"] = [
            {
                "inserted": INSERTED.get(variable.key, f"{{{{ {variable.key} }}}}"),
                "label": _(variable.label),
                "example": variable.example,
            }
            for variable in rendering.VARIABLES.values()
        ]
        context["default_form"] = '{{ name or "顾客" }}'
        context["condition_form"] = "{% if city %} … {% endif %}"
        return context


class TemplateForm(forms.ModelForm):
    """A template whose text is checked as the sender will read it."""

    version = forms.IntegerField(widget=forms.HiddenInput, required=False)

    class Meta:
        model = Template
        fields = ["name", "purpose", "channel", "signature", "subject", "body", "html", "opt_out_wording"]
        labels = {"name": gettext_lazy("Name of the template")}
        widgets = {
            "body": TextWithVariables(attrs={"rows": 8, "class": "hy-source"}),
            "html": UnfoldAdminTextareaWidget(attrs={"rows": 12, "class": "hy-source"}),
        }

    @property
    def is_letter(self) -> bool:
        """Whether the channel that is chosen carries letters."""
        return self.cleaned_data.get("channel") in rendering.LETTER_CHANNELS

    def clean_subject(self) -> str:
        """The subject of a letter, one line; nothing else has one."""
        subject = self.cleaned_data["subject"]
        return self._checked(rendering.parse_subject, subject) if self.is_letter else ""

    def clean_body(self) -> str:
        """The text, or a sentence that names the place and the remedy."""
        body = self.cleaned_data["body"]
        if self.is_letter:
            return self._checked(rendering.parse, body, maximum=rendering.MAXIMUM_LETTER)
        return self._checked(rendering.parse, body)

    def clean_html(self) -> str:
        """The formatted text of an e-mail as it was written; mail programs get it in its one spelling."""
        html = self.cleaned_data["html"].replace("\r\n", "\n").strip()
        if not html or self.cleaned_data.get("channel") != Channel.EMAIL:
            return ""
        self._checked(rendering.parse_html, html)
        return html

    def _checked(self, parse: Callable[..., rendering.CompiledTemplate], source: str, **limits: int) -> str:
        try:
            return parse(source, **limits).source
        except rendering.Refused as refusal:
            raise ValidationError(refusal.sentence(_)) from refusal

    def clean_opt_out_wording(self) -> str:
        """The wording; the usual one where the field was emptied, one that says how where it was changed."""
        wording = self.cleaned_data["opt_out_wording"].strip()
        if wording and not text.has_opt_out_wording(wording):
            raise ValidationError(
                _("Customers would not learn how to opt out. Write it like this: %(example)s.")
                % {"example": text.DEFAULT_OPT_OUT}
            )
        return wording or text.DEFAULT_OPT_OUT

    def clean(self) -> dict:
        """Refuse to overwrite what somebody else saved since this page was opened."""
        cleaned = super().clean()
        if self.instance.pk:
            stored = Template.objects.select_for_update().filter(pk=self.instance.pk).values_list("version", flat=True)
            if cleaned.get("version") != stored.first():
                raise ValidationError(
                    _(
                        "Somebody else saved this template while you were writing. Copy your text, open "
                        "the page again and put it in."
                    )
                )
        cleaned.pop("version", None)
        return cleaned


class ArchivedFilter(admin.SimpleListFilter):
    """Templates in use, or those put away."""

    title = gettext_lazy("Archive")
    parameter_name = "archived"

    def lookups(self, request, model_admin):
        """The one choice beside the usual list."""
        return [("yes", _("Archived"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        """Templates in use unless the archive is asked for."""
        return queryset.filter(archived_at__isnull=self.value() != "yes")


@admin.register(Template)
class TemplateAdmin(TranslatedHistory, ModelAdmin):
    """Texts with variables."""

    form = TemplateForm
    change_form_template = "admin/notifications/template/change_form.html"
    change_form_outer_before_template = "admin/notifications/template/taken_back.html"
    change_form_outer_after_template = "admin/notifications/template/registered.html"
    list_display = [
        "shown_name",
        "said",
        "channel",
        "class_of_message",
        "signature",
        "length",
        "version",
        "updated_at",
    ]
    list_filter = ["channel", "purpose", "signature", ArchivedFilter]
    list_filter_sheet = True
    list_select_related = ["signature"]
    search_fields = ["name", "body"]
    warn_unsaved_form = True
    compressed_fields = False
    actions = None
    actions_detail = ["archive", "restore"]
    fieldsets = [
        (
            None,
            {
                "fields": [
                    *("name", ("purpose", "signature"), "channel", "subject", "body", "html", "opt_out_wording"),
                    "version",
                ]
            },
        ),
    ]
    # What the channel that is chosen has no use for is not asked.
    conditional_fields = {
        "subject": "channel != 'sms'",
        "html": "channel == 'email'",
        "opt_out_wording": "channel == 'sms'",
    }

    class Media:
        js = ["hongyan/template.js"]

    def has_delete_permission(self, request, obj=None):
        """Templates are archived: messages name them."""
        return False

    def get_form(self, request, obj=None, change=False, **options):
        """The form; channels that no gateway carries yet are not offered."""
        form = super().get_form(request, obj, change, **options)
        if "channel" in form.base_fields:
            form.base_fields["channel"].choices = [(channel.value, channel.label) for channel in WRITTEN]
            form.base_fields["channel"].initial = Channel.SMS.value
            form.base_fields["html"].help_text = _(
                "How the letter looks, as HTML: headings, lists, tables, links and pictures. Without it the text goes "
                "out alone. The link to unsubscribe is put at the end of marketing and customer care by itself."
            )
            form.base_fields["body"].help_text = _(
                "Of a letter this is what programs without formatting show; the SMS and the inbox have nothing else."
            )
            form.base_fields["signature"].widget.can_change_related = False
            form.base_fields["signature"].widget.can_view_related = False
            form.base_fields["opt_out_wording"].help_text = _(
                "Put at the end of marketing and customer care by SMS, once; the law asks for it."
            )
        return form

    def save_model(self, request, obj, form, change):
        """Save under the next number, by which a stale page is known."""
        obj.updated_at = clock.now()
        if change:
            obj.version = F("version") + 1
        super().save_model(request, obj, form, change)
        obj.refresh_from_db()

    def get_urls(self) -> list[URLPattern]:
        """The preview beside the usual pages."""
        preview = path(
            "preview/", self.admin_site.admin_view(require_POST(self.preview)), name="notifications_template_preview"
        )
        return [preview, *registered.urls(self), *super().get_urls()]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context=None
    ) -> HttpResponse:
        """The page, with how far the text is where providers approve texts first."""
        template = self.get_object(request, object_id)
        extra = registered.of_template(template)
        return super().change_view(request, object_id, form_url, extra | (extra_context or {}))

    def preview(self, request: HttpRequest) -> HttpResponse:
        """What customers would read, as a fragment."""
        return template_preview.show(request, is_allowed=self.has_view_permission(request))

    def get_actions_detail(self, request, object_id):
        """Archive what is in use, restore what is archived."""
        offered = super().get_actions_detail(request, object_id)
        template = self.get_object(request, object_id)
        hidden = "archive" if template and template.archived_at else "restore"
        return [one for one in offered if not one.action_name.endswith(f"_{hidden}")]

    @action(
        description=gettext_lazy("Archive"),
        icon="archive",
        permissions=["change"],
        dialog=ask(
            gettext_lazy("Archive this template?"),
            gettext_lazy("It is no longer offered for new campaigns. What was planned with it stays as it is."),
            gettext_lazy("Archive"),
        ),
    )
    def archive(self, request: HttpRequest, form: forms.Form, object_id: str) -> HttpResponse:
        """Put the template away."""
        Template.objects.filter(pk=number_in(object_id), archived_at=None).update(archived_at=clock.now())
        return done(request, self._page(object_id), said=_("The template is archived."))

    @action(
        description=gettext_lazy("Restore"),
        icon="unarchive",
        permissions=["change"],
        dialog=ask(
            gettext_lazy("Use this template again?"),
            gettext_lazy("It is offered for new campaigns again."),
            gettext_lazy("Restore"),
        ),
    )
    def restore(self, request: HttpRequest, form: forms.Form, object_id: str) -> HttpResponse:
        """Take the template out of the archive."""
        Template.objects.filter(pk=number_in(object_id)).update(archived_at=None)
        return done(request, self._page(object_id), said=_("The template can be used again."))

    def _page(self, object_id: str) -> str:
        return reverse("admin:notifications_template_change", args=[object_id])

    @display(description=gettext_lazy("Template"), ordering="name")
    def shown_name(self, template: Template) -> str:
        """Its name."""
        return template.name

    @display(description=gettext_lazy("Text"))
    def said(self, template: Template) -> SafeString:
        """The beginning of the text."""
        return format_html(
            '<span class="hy-soft">{}</span>', text.cut(template.body, 56) + ("…" if len(template.body) > 56 else "")
        )

    @display(description=gettext_lazy("Class"), ordering="purpose")
    def class_of_message(self, template: Template) -> SafeString:
        """The class as a word in a pill."""
        return format_html('<span class="hy-pill hy-pill-plain">{}</span>', template.get_purpose_display())

    @display(description=gettext_lazy("Length of the template"))
    def length(self, template: Template) -> str:
        """Characters of the text as it stands, variables unfilled."""
        return str(text.utf16_length(template.body))
