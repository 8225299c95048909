"""The demo shop's segments, the campaign that is over and the one that waits."""

from datetime import date, datetime, time, timedelta

from campaigns import holidays
from campaigns.choices import Timing
from campaigns.models import Campaign, Segment, Variant
from campaigns.services import campaigns, reviews
from config.demo import rehearsal
from customers import clock
from customers.choices import Channel, Purpose
from customers.models import Tag, Tier
from notifications.models import ProviderAccount, Template
from notifications.services import sending
from notifications.services.clock import shift

DAYS_AGO = 6
TEN_O_CLOCK = time(10, 0)
DRAIN_SECONDS = 60
# Holidays on which the shop greets everybody, with the starter text for each.
GREETINGS = {
    "new_year": "元旦问候",
    "spring_festival": "春节问候",
    "labor_day": "五一问候",
    "dragon_boat": "端午问候",
    "mid_autumn": "中秋问候",
    "national_day": "国庆问候",
}
NOTICE = timedelta(days=14)


def write_segments(*, now: datetime) -> dict[str, Segment]:
    """Store the segments; answers them by name."""
    tags = dict(Tag.objects.values_list("name", "pk"))
    tiers = dict(Tier.objects.values_list("name", "pk"))
    asked = {
        "全体顾客": [],
        "金卡及以上": [_ask("tier", "at_least", tiers["金卡会员"])],
        "江浙沪老客": [_ask("province", "any", ["上海市", "江苏省", "浙江省"]), _ask("tag", "any", [tags["老客"]])],
        "30 天内过生日": [_ask("birthday", "within_days", 30)],
        "爱买鲜花或绿植": [_ask("tag", "any", [tags["爱买鲜花"], tags["爱买绿植"]])],
        "一个月没联系过": [_ask("contacted", "not_for_days", 30)],
        "还没问过是否愿意收短信": [_ask("consent", "never", f"{Channel.SMS}:{Purpose.MARKETING}")],
    }
    segments = Segment.objects.bulk_create(
        Segment(name=name, conditions=conditions, created_at=now, updated_at=now) for name, conditions in asked.items()
    )
    return {segment.name: segment for segment in segments}


def _ask(field: str, operator: str, value) -> list[dict]:
    return [{"field": field, "operator": operator, "value": value}]


def live_through(segment: Segment, account: ProviderAccount, *, now: datetime) -> Campaign:
    """
    Send a campaign to a segment six days ago, through the engine and a gateway of its own.

    The clock is set back for it and set right again. Raises CannotShift, CannotSchedule, CannotLaunch, NoGateway.
    """
    day = clock.shop_date(now) - timedelta(days=DAYS_AGO)
    moment = datetime.combine(day, TEN_O_CLOCK, clock.shop_zone())
    usual = {"url": account.url, "query_url": account.query_url}
    itself = ProviderAccount.objects.filter(pk=account.pk)
    shift(timedelta(0))
    shift(moment - clock.now())
    with rehearsal.gateway() as gateway:
        itself.update(url=f"{gateway.address}/send", query_url=f"{gateway.address}/query")
        campaign = _draft(
            f"{_month(day)}老客回馈", segment, "老客回馈", now=moment - timedelta(days=1), planned_for=moment
        )
        _schedule(campaign, now=moment - timedelta(days=1))
        campaigns.launch(campaign.pk, now=clock.now())
        sending.drain("bulk", seconds=DRAIN_SECONDS, clock=clock.now)
        gateway.apply_receipts(account, now=clock.now())
        campaigns.finish_done(now=clock.now())
    itself.update(**usual)
    shift(timedelta(0))
    return campaign


def schedule_greeting(segment: Segment, *, now: datetime) -> Campaign:
    """Schedule a greeting for the next great holiday. Raises CannotSchedule."""
    day, holiday = next(
        (day, holiday)
        for day, holiday in holidays.coming(after=clock.shop_date(now) + NOTICE)
        if holiday.key in GREETINGS
    )
    campaign = _draft(
        f"{day.year} 年{GREETINGS[holiday.key]}",
        segment,
        GREETINGS[holiday.key],
        now=now,
        timing=Timing.HOLIDAY,
        holiday=holiday.key,
        holiday_time=time(9, 30),
    )
    _schedule(campaign, now=now)
    return campaign


def _draft(name: str, segment: Segment, text: str, *, now: datetime, **when) -> Campaign:
    campaign = Campaign.objects.create(name=name, segment=segment, created_at=now, **when)
    Variant.objects.create(campaign=campaign, template=Template.objects.get(name=text))
    return campaign


def _schedule(campaign: Campaign, *, now: datetime) -> None:
    found = reviews.review(campaign, now=now)
    if found.problems:
        raise reviews.CannotSchedule(" ".join(found.problems))
    campaigns.schedule(campaign, version=campaign.version, seen=found.estimate.will_send, by=None, now=now)


def _month(day: date) -> str:
    return f"{day.month} 月"
