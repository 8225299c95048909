"""What a condition asks of the database: each function turns a value into a predicate on Customer."""

from datetime import date, datetime, timedelta

from django.db.models import BigIntegerField, Exists, F, Func, OuterRef, Q, Subquery

from campaigns.models import Variant
from customers import clock
from customers.choices import ConsentStatus
from customers.models import Consent, ContactPoint, CustomerTag, ImportedRow, Tier
from notifications.choices import HANDED_OVER, DeliveryStatus
from notifications.models import Delivery, RecentSends


def has_any_tag(tags: list[int], now: datetime) -> Q:
    """Wears at least one of the tags."""
    return Q(Exists(CustomerTag.objects.filter(customer=OuterRef("pk"), tag__in=tags)))


def has_all_tags(tags: list[int], now: datetime) -> Q:
    """Wears every one of the tags."""
    wanted = Q()
    for tag in tags:
        wanted &= has_any_tag([tag], now)
    return wanted


def is_in_tier(tiers: list[int], now: datetime) -> Q:
    """Is on one of the tiers."""
    return Q(tier__in=tiers)


def is_in_tier_or_above(tier: int, now: datetime) -> Q:
    """Is on this tier or a higher one."""
    rank = Tier.objects.filter(pk=tier).values("rank")
    return Q(tier__in=Tier.objects.filter(rank__gte=Subquery(rank)).values("pk"))


def has_no_tier(value: None, now: datetime) -> Q:
    """Is on no tier at all."""
    return Q(tier=None)


def name_starts_with(text: str, now: datetime) -> Q:
    """The name begins with these characters."""
    return Q(name__startswith=text)


def lives_in_city(cities: list[str], now: datetime) -> Q:
    """Lives in one of the cities."""
    return Q(city__in=cities)


def lives_in_province(provinces: list[str], now: datetime) -> Q:
    """Lives in one of the provinces."""
    return Q(province__in=provinces)


def is_of_gender(genders: list[str], now: datetime) -> Q:
    """Is of one of the genders; "unknown" stands for the empty one."""
    return Q(gender__in=["" if gender == "unknown" else gender for gender in genders])


def has_birthday_in_month(months: list[int], now: datetime) -> Q:
    """Was born in one of the months."""
    return Q(birth_month__in=months)


def has_birthday_within(days: int, now: datetime) -> Q:
    """Has a birthday from today to so many days ahead; 29 February is kept on the 28th in common years."""
    if days >= 365:
        return Q(birth_month__isnull=False)
    first = clock.shop_date(now)
    wanted = Q()
    for month, from_day, to_day in _month_parts(first, first + timedelta(days)):
        wanted |= Q(birth_month=month, birth_day__range=(from_day, to_day))
    return wanted


def has_known_birthday(value: None, now: datetime) -> Q:
    """Has told the day of birth."""
    return Q(birth_month__isnull=False)


def has_granted(permission: str, now: datetime) -> Q:
    """Has agreed to messages of this channel and class."""
    return Q(Exists(_consents(permission).filter(status=ConsentStatus.GRANTED)))


def has_withdrawn(permission: str, now: datetime) -> Q:
    """Has opted out of messages of this channel and class."""
    return Q(Exists(_consents(permission).filter(status=ConsentStatus.WITHDRAWN)))


def was_never_asked(permission: str, now: datetime) -> Q:
    """Has neither agreed nor opted out."""
    return ~Q(Exists(_consents(permission)))


def has_address_on(channel: str, now: datetime) -> Q:
    """Can be written to on the channel."""
    return Q(Exists(ContactPoint.objects.filter(customer=OuterRef("pk"), channel=channel, is_primary=True)))


def was_created_within(days: int, now: datetime) -> Q:
    """Is known for fewer days than that."""
    return Q(created_at__gte=now - timedelta(days))


def is_in_import(spreadsheet_import: int, now: datetime) -> Q:
    """Had a row in the imported file."""
    rows = ImportedRow.objects.filter(spreadsheet_import=spreadsheet_import, customer_id=OuterRef("pk"))
    return Q(Exists(rows))


def was_contacted_within(days: int, now: datetime) -> Q:
    """Got a message that counts toward the caps within so many days."""
    since = int((now - timedelta(days)).timestamp() * 1000)
    # Moments are ascending, so the last element is the latest; its lower 8 bits tell the kind.
    last = Func(F("sends"), template="%(expressions)s[cardinality(sends)] >> 8", output_field=BigIntegerField())
    recent = RecentSends.objects.alias(last_at=last).filter(subject=OuterRef("pk"), last_at__gte=since)
    return Q(Exists(recent))


def was_ever_contacted(value: None, now: datetime) -> Q:
    """Got a message that counts toward the caps, as far back as those are remembered."""
    return Q(Exists(RecentSends.objects.filter(subject=OuterRef("pk"), sends__len__gt=0)))


def got_campaign(campaign: int, now: datetime) -> Q:
    """A message of the campaign was handed over to the provider."""
    return _in_campaign(campaign, [*HANDED_OVER, DeliveryStatus.UNKNOWN])


def received_campaign(campaign: int, now: datetime) -> Q:
    """The campaign's message was delivered."""
    return _in_campaign(campaign, [DeliveryStatus.DELIVERED])


def missed_campaign(campaign: int, now: datetime) -> Q:
    """The campaign's message was refused or did not arrive."""
    return _in_campaign(campaign, [DeliveryStatus.FAILED, DeliveryStatus.UNDELIVERED])


def _consents(permission: str):
    channel, purpose = permission.split(":")
    return Consent.objects.filter(customer=OuterRef("pk"), channel=channel, purpose=purpose)


def _in_campaign(campaign: int, statuses: list[str]) -> Q:
    frozen = Variant.objects.filter(campaign=campaign, message__isnull=False).values("message")
    # In the words of the three indexes of a message's deliveries, each of which PostgreSQL can then walk.
    parts = Q(finished_at=None, reason="") | Q(finished_at__isnull=False, reason="") | ~Q(reason="")
    mine = Delivery.objects.filter(
        parts, customer=OuterRef("pk"), message__in=list(frozen.values_list("message", flat=True))
    )
    return Q(Exists(mine.filter(status__in=statuses)))


def _month_parts(first: date, last: date) -> list[tuple[int, int, int]]:
    """Cut a span of days into (month, from day, to day); February's end includes the 29th."""
    parts = []
    while first <= last:
        end_of_month = (first.replace(day=28) + timedelta(4)).replace(day=1) - timedelta(1)
        end = min(last, end_of_month)
        to_day = 29 if end.month == 2 and end == end_of_month else end.day
        parts.append((first.month, first.day, to_day))
        first = end + timedelta(1)
    return parts
