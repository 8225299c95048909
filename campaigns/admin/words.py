"""How a campaign's status and time are shown."""

from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from campaigns import holidays
from campaigns.choices import CampaignStatus, Timing
from campaigns.models import Campaign
from campaigns.services.reviews import in_words
from customers import clock

PILLS = {
    CampaignStatus.DRAFT: "",
    CampaignStatus.SCHEDULED: "hy-pill-accent",
    CampaignStatus.RUNNING: "hy-pill-good",
    CampaignStatus.FINISHED: "hy-pill-plain",
    CampaignStatus.CANCELED: "hy-pill-plain",
    CampaignStatus.MISSED: "hy-pill-bad",
}


def pill(campaign: Campaign) -> SafeString:
    """The status as a word with its color."""
    if campaign.status == CampaignStatus.RUNNING and campaign.is_paused:
        return format_html('<span class="hy-pill hy-pill-warn">{}</span>', _("Paused"))
    if campaign.status == CampaignStatus.SCHEDULED and campaign.problem:
        return format_html('<span class="hy-pill hy-pill-bad">{}</span>', _("Cannot start yet"))
    return format_html(
        '<span class="hy-pill {}">{}</span>', PILLS[CampaignStatus(campaign.status)], campaign.get_status_display()
    )


def when(campaign: Campaign) -> str:
    """When it went out, will go out, or is planned to."""
    if campaign.launched_at or campaign.scheduled_for:
        return in_words(campaign.launched_at or campaign.scheduled_for)
    if campaign.timing == Timing.NOW:
        return str(Timing.NOW.label)
    if campaign.timing == Timing.HOLIDAY and campaign.holiday in holidays.HOLIDAYS:
        (day,) = holidays.next_dates(campaign.holiday, after=clock.shop_date(clock.now()), count=1)
        return f"{holidays.name_of(campaign.holiday)} {day:%Y-%m-%d} {campaign.holiday_time or '':%H:%M}"
    return in_words(campaign.planned_for) if campaign.planned_for else "–"
