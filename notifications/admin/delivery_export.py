"""What an export of sending records holds: each message to each customer, its state in words, times and costs."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from django.contrib.auth.models import AbstractBaseUser
from django.db.models import QuerySet
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from customers.admin.list_export import rows_asked
from customers.services import exports
from notifications.admin import states
from notifications.models import Delivery, Message, ProviderAccount


class DeliveryResource:
    """One line per sending record; addresses are masked for those who may not see them whole."""

    def __init__(self, *, shows_addresses: bool = False):
        self.shows_addresses = shows_addresses
        # A few messages and accounts stand in a million lines.
        self._messages: dict[int, Message] = {}
        self._accounts: dict[int, str] = dict(ProviderAccount.objects.values_list("pk", "name"))

    def header(self) -> list[str]:
        """The heads of the columns."""
        return [
            *(_("Record"), _("Name"), _("Member number"), _("Number or address"), self.message_head()),
            *(_("Channel"), _("Class"), _("State"), _("Reason"), _("Planned at"), _("Sent at"), _("Reported at")),
            *(_("Billed SMS"), _("Cost (yuan)"), _("Provider account"), _("Provider's number")),
        ]

    def lines(self, keys: Sequence[int]) -> Iterator[list[object]]:
        """The records with these keys, in their order."""
        rows = Delivery.objects.with_state().defer("values").select_related("customer", "submission", "hold")
        found = rows.in_bulk(keys)
        self._learn({delivery.message_id for delivery in found.values()})
        for key in keys:
            if key in found:
                yield self._line(found[key])

    def message_head(self) -> str:
        """The head of the column that says which text it was."""
        return _("Message")

    def message_words(self, message: Message) -> str:
        """Which text it was."""
        return message.name

    def _learn(self, message_ids: set[int]) -> None:
        self._messages |= Message.objects.in_bulk(message_ids - self._messages.keys())

    def _line(self, delivery: Delivery) -> list[object]:
        message = self._messages[delivery.message_id]
        state = states.state_of(delivery)
        account = delivery.submission.account_id if delivery.submission else None
        return [
            str(delivery.pk),
            delivery.customer.name if delivery.customer else _("Test"),
            delivery.customer.external_id if delivery.customer else "",
            self._address(delivery, message),
            self.message_words(message),
            message.get_channel_display(),
            message.get_purpose_display(),
            str(states.STATES.get(state, state)),
            states.explanation(delivery),
            _moment(delivery.created_at),
            _moment(delivery.sent_at),
            _moment(delivery.finished_at),
            delivery.segments or None,
            delivery.cost or None,
            self._accounts.get(account, ""),
            delivery.provider_id,
        ]

    def _address(self, delivery: Delivery, message: Message) -> str:
        if self.shows_addresses or not delivery.address:
            return delivery.address
        return states.masked(delivery.address, message.channel)


def _moment(when: datetime | None) -> datetime | None:
    """A moment as spreadsheets know it: the shop's own time, without a zone."""
    return localtime(when).replace(tzinfo=None) if when else None


def _asked(question: str, person: AbstractBaseUser) -> QuerySet[Delivery]:
    return rows_asked(Delivery, question, person)


DELIVERIES = exports.KINDS.add(
    exports.Kind(
        key="deliveries",
        label=gettext_lazy("Sending records"),
        permission="notifications.export_delivery",
        asked=_asked,
        resource=DeliveryResource,
    )
)
