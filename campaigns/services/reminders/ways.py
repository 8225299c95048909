"""Which channels a reminder can use in this shop, and what the others wait for."""

from django.utils.translation import gettext as _

from customers.choices import Channel
from notifications.services import gateways

# In the order in which a customer is looked for.
OFFERED = (Channel.SMS, Channel.EMAIL, Channel.INBOX)


def waits_for(channel: str) -> str:
    """What a channel lacks before it can be used, with the remedy; "" where it works."""
    if gateways.account_for(channel):
        return ""
    if channel == Channel.SMS:
        return _("SMS waits for an account that works. Add or resume one under Settings → Provider accounts.")
    if channel == Channel.EMAIL:
        return _("E-mail waits for an e-mail account. Add or resume one under Settings → Provider accounts.")
    if channel == Channel.INBOX:
        return _("The in-app inbox waits to be opened. Add it under Settings → Provider accounts.")
    return _("%(channel)s cannot be used yet: no gateway carries it. Choose another channel.") % {
        "channel": Channel(channel).label if channel in Channel.values else channel
    }


def working() -> list[Channel]:
    """The channels that can be used now."""
    return [channel for channel in OFFERED if not waits_for(channel)]
