"""Campaigns: scheduling, launching, pausing, canceling and finishing them."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.conf import settings
from django.db import DatabaseError, transaction
from django.utils.translation import gettext as _
from django.utils.translation import override

from campaigns import segmentation
from campaigns.choices import CampaignStatus, Timing
from campaigns.models import Campaign, Variant
from campaigns.services import audiences, kept_reviews, reviews
from campaigns.services.reviews import CannotSchedule
from customers import clock
from notifications.choices import DeliveryStatus
from notifications.services import canaries, deliveries, gateways, messages, switch
from notifications.services.messages import CancelResult

logger = logging.getLogger(__name__)

# Long enough for a restart or a power cut; a greeting that is later than that has missed its hour.
GRACE = timedelta(hours=2)
# An audience moves by itself: people are imported, and opt out. More than this needs another look.
DRIFT_IN_PERCENT = 1
DRIFT_IN_PEOPLE = 10
# A million people are counted in half a second.
PATIENCE_MILLISECONDS = 5_000


class CannotUnschedule(Exception):
    """The campaign cannot go back to a draft; the text says why."""


class CannotReopen(Exception):
    """The campaign did not miss its time; the text says what it is instead."""


class CannotLaunch(Exception):
    """The campaign cannot start; the text says why and what to do."""


class CannotPause(Exception):
    """There is nothing to pause; the text says why."""


class CannotResume(Exception):
    """There is nothing to resume; the text says why."""


class CannotCancel(Exception):
    """The campaign is over; the text says so."""


@dataclass
class Launches:
    """What one look at the due campaigns did, by campaign id."""

    launched: list[int] = field(default_factory=list)
    delayed: list[int] = field(default_factory=list)
    missed: list[int] = field(default_factory=list)
    failed: list[int] = field(default_factory=list)


def schedule(campaign: Campaign, *, version: int, seen: int, by, now: datetime) -> datetime:
    """
    Commit a draft: review it once more, keep what was reviewed, and set its hour.

    `version` and `seen` are those of the page on which somebody clicked: a draft that was changed
    since, or an audience that grew or shrank, is not what that person agreed to. A large audience is
    not counted again, which took 18 s of a click at a million people: its numbers are those kept for
    some minutes, if it is still as large; everybody is screened at the start anyway. Answers the
    hour. Raises CannotSchedule.
    """
    _refuse_unless_draft(campaign, version)
    kept = kept_reviews.fresh(campaign, now=now)
    if not kept and kept_reviews.is_large(campaign, now=now):
        raise CannotSchedule(_("The numbers you saw are more than ten minutes old. Look again at the new ones."))
    found = reviews.review(campaign, now=now, counted=kept and kept_reviews.estimate_of(kept, now=now))
    if found.problems:
        raise CannotSchedule(" ".join(found.problems))
    will_send = found.estimate.will_send
    if _has_drifted(seen, will_send):
        raise CannotSchedule(
            _("Since you opened the page, the number of messages went from %(seen)s to %(now)s. Look again.")
            % {"seen": f"{seen:,}", "now": f"{will_send:,}"}
        )
    if kept and _has_drifted(found.estimate.total, size := _size(campaign, now)):
        raise CannotSchedule(
            _("Since it was counted, the segment went from %(seen)s to %(now)s people. Count again.")
            % {"seen": f"{found.estimate.total:,}", "now": f"{size:,}"}
        )
    estimate = reviews.snapshot(campaign, found, now=now)
    drafts = Campaign.objects.filter(pk=campaign.pk, version=version)
    if not drafts.schedule(found.moment, by=by, estimate=estimate):
        _refuse_unless_draft(Campaign.objects.get(pk=campaign.pk), version)
        raise CannotSchedule(_("Somebody else changed the campaign at this moment. Look again."))
    return found.moment


def unschedule(campaign: Campaign) -> None:
    """Take a scheduled campaign back for another edit. Raises CannotUnschedule."""
    if not Campaign.objects.filter(pk=campaign.pk).unschedule():
        raise CannotUnschedule(
            _("The campaign is not waiting any more: it is “%(status)s”.") % {"status": _status(campaign)}
        )


def reopen(campaign: Campaign, *, timing: Timing) -> None:
    """
    Make a campaign that missed its time a draft again, for now or for another hour. Raises CannotReopen.

    A draft and no start: hours later the audience is another one, and somebody has to see the new numbers.
    """
    if not Campaign.objects.filter(pk=campaign.pk).reopen(timing=timing):
        raise CannotReopen(_("The campaign did not miss its time: it is “%s”.") % _status(campaign))


def launch(campaign_id: int, *, now: datetime) -> dict[str, int]:
    """
    Start a scheduled campaign: freeze its texts and plan a delivery for everybody.

    One transaction, so that a crash leaves it scheduled and whole; the first statement leaves
    "scheduled", so that of two launches one starts it. Answers the number of people by state or
    reason. Raises CannotLaunch.
    """
    try:
        with transaction.atomic():
            if not Campaign.objects.filter(pk=campaign_id).launch(now):
                raise CannotLaunch(_("The campaign was started already, or is not scheduled."))
            campaign = Campaign.objects.select_related("segment").get(pk=campaign_id)
            if stops := why_not(campaign):
                raise CannotLaunch(" ".join(stops))
            return _plan(campaign, now)
    except (messages.CannotFreeze, segmentation.BadConditions) as refusal:
        raise CannotLaunch(str(refusal)) from refusal


def why_not(campaign: Campaign) -> list[str]:
    """The sentences that stop a launch, in the reader's language."""
    stops = reviews.obstacles(campaign) + reviews.changed_since(campaign)
    if switch.stopped():
        # What comes due in safe mode may have gone out before the backup was restored.
        stops.append(_("Everything is stopped, so nothing starts. An owner can let it go on."))
    try:
        segmentation.read(campaign.segment.conditions)
    except segmentation.BadConditions as refusal:
        stops.append(str(refusal))
    return stops


def launch_due(*, now: datetime) -> Launches:
    """
    Launch every campaign whose hour has come, and give up those whose hour is too long ago.

    One that cannot start is tried again until its grace is over, so that an approved signature or
    an account set active in time still saves it; and it holds up no other.
    """
    done = Launches()
    for campaign in _due(now):
        itself = Campaign.objects.filter(pk=campaign.pk)
        try:
            if now > latest_start(campaign):
                if itself.miss(now, problem=_why_missed(campaign)):
                    done.missed.append(campaign.pk)
            else:
                launch(campaign.pk, now=now)
                done.launched.append(campaign.pk)
        except CannotLaunch:
            if itself.delay(problem=_in_every_language(lambda stopped=campaign: " ".join(why_not(stopped)))):
                done.delayed.append(campaign.pk)
        except DatabaseError:
            logger.exception("Campaign %d could not be launched; it is tried again.", campaign.pk)
            done.failed.append(campaign.pk)
    return done


def _due(now: datetime) -> list[Campaign]:
    """Due campaigns that nobody is launching: planning a million takes long enough for every worker to queue up."""
    due = Campaign.objects.due(now).select_related("segment").order_by("scheduled_for", "id")
    with transaction.atomic():
        return list(due.select_for_update(skip_locked=True, of=["self"]))


def latest_start(campaign: Campaign) -> datetime:
    """The last moment at which a scheduled campaign is still launched."""
    return campaign.scheduled_for + min(GRACE, timedelta(hours=campaign.valid_hours))


def pause(campaign: Campaign, *, now: datetime) -> None:
    """Stop everything that has not been handed over. Raises CannotPause."""
    if campaign.status != CampaignStatus.RUNNING:
        raise CannotPause(_("Only a campaign that is being sent can be paused; it is “%s”.") % _status(campaign))
    if not messages.pause(campaign.message_ids, now=now):
        raise CannotPause(_("The campaign is paused already."))


def resume(campaign: Campaign) -> None:
    """Let a paused campaign go on. Raises CannotResume."""
    if campaign.status != CampaignStatus.RUNNING:
        raise CannotResume(_("Only a campaign that is being sent can go on; it is “%s”.") % _status(campaign))
    if not messages.resume(campaign.message_ids):
        raise CannotResume(_("The campaign is not paused."))


def cancel(campaign: Campaign, *, by, now: datetime) -> CancelResult:
    """
    End a campaign for good; what was handed over cannot be called back.

    Answers how many people were spared and how many the provider already had. Raises CannotCancel.
    """
    with transaction.atomic():
        if not Campaign.objects.filter(pk=campaign.pk).cancel(now, by=by):
            raise CannotCancel(_("The campaign is over already: it is “%s”.") % _status(campaign))
        frozen = Variant.objects.filter(campaign=campaign.pk, message__isnull=False)
        ids = list(frozen.values_list("message_id", flat=True))
        return messages.cancel(ids, now=now) if ids else CancelResult(canceled=0, handed_over=0)


@transaction.atomic
def copy(campaign: Campaign, *, name: str, by) -> Campaign:
    """A new draft with the same segment, texts and hours; its date is left open where it was one."""
    twin = Campaign.objects.create(
        name=name,
        segment=campaign.segment,
        channel=campaign.channel,
        cap_policy=campaign.cap_policy,
        timing=campaign.timing,
        holiday=campaign.holiday,
        holiday_time=campaign.holiday_time,
        valid_hours=campaign.valid_hours,
        has_canary=campaign.has_canary,
        created_by=by,
    )
    Variant.objects.bulk_create(
        Variant(campaign=twin, template=variant.template, share=variant.share)
        for variant in campaign.variants.select_related("template")
    )
    return twin


def finish_done(*, now: datetime) -> int:
    """Finish the campaigns none of whose deliveries waits any longer; answers how many."""
    return Campaign.objects.done().finish(now)


def _plan(campaign: Campaign, now: datetime) -> dict[str, int]:
    """Freeze each variant and write its deliveries."""
    occasion = f"campaign-{campaign.pk}:{clock.shop_date(campaign.scheduled_for)}"
    account = gateways.account_for(campaign.channel)
    if account is None:
        # Paused by a worker since why_not() looked.
        raise CannotLaunch(" ".join(why_not(campaign)))
    counts: dict[str, int] = {}
    for variant, part in audiences.parts(campaign, audiences.people(campaign, now=now)):
        message = messages.freeze(
            variant.template,
            name=campaign.name,
            price=account.price,
            cap_policy=campaign.cap_policy,
            send_after=campaign.scheduled_for,
            send_until=campaign.scheduled_for + timedelta(hours=campaign.valid_hours),
            by=campaign.scheduled_by,
            now=now,
        )
        Variant.objects.filter(pk=variant.pk).update(message=message)
        for state, count in deliveries.plan(message, part, occasion=occasion, now=now).items():
            counts[state] = counts.get(state, 0) + count
        if campaign.has_canary:
            canaries.begin(message)
    if not counts.get(DeliveryStatus.QUEUED):
        Campaign.objects.filter(pk=campaign.pk).update(problem=_in_every_language(_nobody))
    return counts


def _nobody() -> str:
    return _("When it started, there was nobody to write to.")


def _refuse_unless_draft(campaign: Campaign, version: int) -> None:
    if campaign.status != CampaignStatus.DRAFT:
        raise CannotSchedule(_("The campaign was scheduled already: it is “%s”.") % _status(campaign))
    if campaign.version != version:
        raise CannotSchedule(_("The campaign was changed since you opened the page. Look again."))


def _size(campaign: Campaign, now: datetime) -> int:
    """How many people the campaign's segment has now. Raises CannotSchedule."""
    try:
        return segmentation.within(PATIENCE_MILLISECONDS, audiences.people(campaign, now=now).order_by().count)
    except segmentation.TooSlow as refusal:
        raise CannotSchedule(_("The answer takes too long. Try again in a minute.")) from refusal


def _has_drifted(seen: int, there_are: int) -> bool:
    return abs(there_are - seen) > max(DRIFT_IN_PEOPLE, seen * DRIFT_IN_PERCENT // 100)


def _why_missed(campaign: Campaign) -> dict[str, str]:
    def sentence() -> str:
        words = _("It could not start between %(first)s and %(last)s, so nobody was written to.") % {
            "first": reviews.in_words(campaign.scheduled_for),
            "last": reviews.in_words(latest_start(campaign)),
        }
        return " ".join([words, *(why_not(campaign) or [_("No worker was running.")])])

    return _in_every_language(sentence)


def _in_every_language(sentence: Callable[[], str]) -> dict[str, str]:
    """A sentence for each language, because whoever reads it later has one that no job knows."""
    words = {}
    for language, _name in settings.LANGUAGES:
        with override(language):
            words[language] = sentence()
    return words


def _status(campaign: Campaign) -> str:
    return Campaign.objects.only("status").get(pk=campaign.pk).get_status_display()
