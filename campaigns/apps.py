"""The campaigns app."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

from customers.services import ties

IN_A_SEGMENT = """EXISTS (
    SELECT FROM campaigns_segment used WHERE jsonb_path_exists(
        used.conditions, '$[*][*] ? (@.field == "{field}").value[*] ? (@ == $id || @ == $text)',
        jsonb_build_object('id', word.id, 'text', word.id::text)
    )
)"""


class CampaignsConfig(AppConfig):
    name = "campaigns"
    verbose_name = _("Reach out")

    def ready(self) -> None:
        """Tell the customers app which tags and tiers stay when an import is undone."""
        ties.register(
            ties.Use("customers_tag", IN_A_SEGMENT.format(field="tag")),
            ties.Use("customers_tier", IN_A_SEGMENT.format(field="tier")),
        )
