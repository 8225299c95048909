"""The closed vocabularies that all three apps share."""

from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy


class Channel(models.TextChoices):
    """A way to reach a customer."""

    SMS = "sms", _("SMS")
    EMAIL = "email", _("E-mail")
    WECHAT = "wechat", _("WeChat")
    APP_PUSH = "app_push", _("App push")
    VOICE = "voice", _("Voice call")
    INBOX = "inbox", _("In-app inbox")


class Purpose(models.TextChoices):
    """The class of a message; consent, caps, quiet hours, retry and priority depend on it."""

    TRANSACTIONAL = "transactional", _("Transaction notice")
    SERVICE = "service", _("Service reminder")
    CARE = "care", _("Customer care")
    MARKETING = "marketing", _("Marketing")

    @property
    def needs_consent(self) -> bool:
        """Whether the customer must have agreed before a message of this class may go out."""
        return self in (Purpose.CARE, Purpose.MARKETING)

    @property
    def obeys_caps(self) -> bool:
        """Whether frequency caps hold for this class; codes and payment notices always go out."""
        return self is not Purpose.TRANSACTIONAL

    @property
    def queue(self) -> str:
        """The RQ queue that sends this class."""
        return "bulk" if self.needs_consent else "urgent"

    @property
    def priority(self) -> int:
        """Smaller goes first when several messages are due at the same moment."""
        return list(Purpose).index(self)


CONSENT_PURPOSES = [Purpose.CARE, Purpose.MARKETING]

# What RecentSends stores instead of words; a number, once used, never changes its meaning.
CHANNEL_CODES = {
    Channel.SMS: 1,
    Channel.EMAIL: 2,
    Channel.WECHAT: 3,
    Channel.APP_PUSH: 4,
    Channel.VOICE: 5,
    Channel.INBOX: 6,
}
PURPOSE_CODES = {
    Purpose.TRANSACTIONAL: 1,
    Purpose.SERVICE: 2,
    Purpose.CARE: 3,
    Purpose.MARKETING: 4,
}


class ConsentStatus(models.TextChoices):
    """Where a permission stands; a customer without a row was never asked."""

    GRANTED = "granted", _("Agreed")
    WITHDRAWN = "withdrawn", _("Opted out")


class EvidenceStatus(models.TextChoices):
    """What a line of evidence says of a permission; what was taken back counts as never asked."""

    GRANTED = "granted", _("Agreed")
    WITHDRAWN = "withdrawn", _("Opted out")
    RETRACTED = "retracted", _("Taken back with its import")


class ConsentSource(models.TextChoices):
    """Where a change of consent came from."""

    IMPORT = "import", _("Column of an imported file")
    DECLARATION = "declaration", _("Declared for an imported file")
    STAFF = "staff", _("Entered by staff")
    REPLY = "reply", _("Reply of the customer")
    LINK = "link", _("Unsubscribe link in an e-mail")
    PROVIDER = "provider", _("Told by the provider")
    API = "api", _("Shop's own system")
    UNDO = "undo", _("Undo of an import")


class BirthCalendar(models.TextChoices):
    """By which calendar a birthday is kept; leap is a month that the lunar calendar puts in twice that year."""

    SOLAR = "", _("solar calendar")
    LUNAR = "lunar", _("lunar calendar")
    LEAP = "leap", _("lunar calendar, leap month")


class Gender(models.TextChoices):
    """How a customer is addressed."""

    FEMALE = "female", _("Female")
    MALE = "male", _("Male")
    UNKNOWN = "", _("Unknown")


class SuppressionScope(models.TextChoices):
    """Which messages an address is closed for."""

    ALL = "all", _("Every message")
    MARKETING = "marketing", _("Marketing and customer care")


class SuppressionReason(models.TextChoices):
    """Why an address is closed."""

    OPTED_OUT = "opted_out", _("Opted out")
    DEAD = "dead", _("Number does not exist")
    COMPLAINED = "complained", _("Complained")
    ERASED = "erased", _("Customer erased")
    STAFF = "staff", _("Closed by staff")


class ImportKind(models.TextChoices):
    """What the rows of a file are."""

    CUSTOMERS = "customers", _("Customers")
    ORDERS = "orders", _("Orders")


class ImportStatus(models.TextChoices):
    """The life of an uploaded spreadsheet."""

    UPLOADED = "uploaded", _("Waiting for review")
    QUEUED = "queued", _("Waiting to start")
    RUNNING = "running", _("Importing")
    DONE = "done", _("Imported")
    FAILED = "failed", _("Stopped by an error")
    REFUSED = "refused", _("Refused")
    DISCARDED = "discarded", _("Discarded")
    UNDOING = "undoing", _("Being undone")
    UNDONE = "undone", _("Undone")


class UndoFindingKind(models.TextChoices):
    """What the undo of an import leaves as it is."""

    STAYS = "stays", _("Customer who stays")
    CONFLICT = "conflict", _("Later change that was kept")
    OPT_OUT = "opt_out", _("Opt-out that was kept")
    ORDERS = "orders", _("Order that stays")


class BuyerKind(models.TextChoices):
    """What an order file made known about who ordered."""

    CUSTOMER = "customer", _("New customer")
    ACCOUNT = "account", _("New account at a platform")
    MERGED = "merged", _("Joined with another customer")
    MOVED = "moved", _("Account that went to another customer")


class RowOutcome(models.TextChoices):
    """What the importer decided about one row of a file."""

    CREATED = "created", _("Created")
    UPDATED = "updated", _("Updated")
    UNCHANGED = "unchanged", _("Unchanged")
    DUPLICATE = "duplicate", _("Duplicate in the file")
    REJECTED = "rejected", _("Rejected")


class ExportFormat(models.TextChoices):
    """What an export is written as."""

    XLSX = "xlsx", _("Excel workbook (.xlsx)")
    CSV = "csv", _("Text (.csv)")


class ExportStatus(models.TextChoices):
    """The life of an export."""

    QUEUED = "queued", _("Waiting to start")
    RUNNING = "running", _("Being written")
    DONE = "done", _("Ready")
    FAILED = "failed", _("Stopped by an error")
    EXPIRED = "expired", _("Deleted")


class Platform(models.TextChoices):
    """Where an order was placed."""

    TAOBAO = "taobao", _("Taobao and Tmall")
    DOUYIN = "douyin", _("Douyin")
    JD = "jd", _("JD.com")
    PINDUODUO = "pinduoduo", _("Pinduoduo")
    YOUZAN = "youzan", _("Youzan")
    WEIDIAN = "weidian", _("Weidian")
    SHOPIFY = "shopify", _("Shopify store")
    OLIST = "olist", _("Olist store")
    OTHER = "other", _("Another place")


class OrderStatus(models.TextChoices):
    """How far an order is; a word that we do not understand is no status, and is never guessed."""

    UNPAID = "unpaid", _("Waiting for payment")
    PAID = "paid", pgettext_lazy("status of an order", "Paid")
    SHIPPED = "shipped", _("Shipped")
    OUT_FOR_DELIVERY = "out_for_delivery", _("Out for delivery")
    DELIVERED = "delivered", _("Arrived")
    COMPLETED = "completed", _("Completed")
    CLOSED = "closed", _("Closed")
    REFUNDED = "refunded", pgettext_lazy("status of an order", "Refunded")
    AFTER_SALE = "after_sale", _("In after-sale")
    LOCKED = "locked", _("Locked")
    UNKNOWN = "", _("Not understood")


class OrderExceptionKind(models.TextChoices):
    """What can go wrong with an order, beside the way that every order goes."""

    OUT_OF_STOCK = "out_of_stock", _("Out of stock")
    PAYMENT_FAILED = "payment_failed", _("Payment failed")
    LOGISTICS_DELAYED = "logistics_delayed", _("Parcel delayed")
    CANCELED_BY_SHOP = "canceled_by_shop", _("Canceled by the shop")
    ADDRESS_NOT_DELIVERABLE = "address_not_deliverable", _("Address not deliverable")


class EventKind(models.TextChoices):
    """What can be due, or happen, to a customer beside orders; told by staff, files or the shop's own system."""

    APPOINTMENT = "appointment", _("Appointment or event")
    MEMBERSHIP = "membership", _("Membership")
    SERVICE = "service", pgettext_lazy("something a customer subscribed to", "Service")
    COUPON = "coupon", _("Coupon")
    POINTS = "points", _("Points")
    BILL = "bill", _("Bill")
    SECURITY = "security", _("Account security")
    CART = "cart", _("Cart left behind")
    OTHER = "other", pgettext_lazy("kind of event", "Something else")


class ShipmentStatus(models.TextChoices):
    """Where a parcel is."""

    SHIPPED = "shipped", _("Shipped")
    IN_TRANSIT = "in_transit", _("On its way")
    OUT_FOR_DELIVERY = "out_for_delivery", _("Out for delivery")
    DELIVERED = "delivered", _("Arrived")
    FAILED = "failed", _("Could not be delivered")
    RETURNED = "returned", _("Going back")


class FollowUpReason(models.TextChoices):
    """Why somebody of the shop should talk to a customer."""

    ORDER_EXCEPTION = "order_exception", _("Something went wrong with an order")
    HIGH_VALUE = "high_value", _("A valuable order was canceled")
    UNDELIVERED = "undelivered", _("A message did not arrive")
    BAD_ADDRESS = "bad_address", _("The address is not deliverable")
    QUESTION = "question", _("A question in a reply")
    HELD_TOO_LONG = "held_too_long", _("A message waited past its time")
    REMINDER = "reminder", _("A reminder asks for a call")
    STAFF = "staff", _("Opened by staff")


class FollowUpStatus(models.TextChoices):
    """The life of a follow-up."""

    OPEN = "open", pgettext_lazy("status of a follow-up", "Open")
    DONE = "done", pgettext_lazy("status of a follow-up", "Done")
    DROPPED = "dropped", pgettext_lazy("status of a follow-up", "Not needed any more")


class FollowUpOutcome(models.TextChoices):
    """What came of a call."""

    REACHED = "reached", _("Reached, settled")
    CALL_BACK = "call_back", _("Reached, wants another call")
    NOT_REACHED = "not_reached", _("Not reached")
    WRONG_NUMBER = "wrong_number", _("Wrong number, corrected")
    REFUSED = "refused", _("Does not want to be called")


class ApiScope(models.TextChoices):
    """What a key to the API may do."""

    ORDERS = "orders", _("Tell of orders and parcels")
    EVENTS = "events", _("Tell of appointments, memberships, coupons, bills and carts")
    CUSTOMERS = "customers", _("Add and change customers")
    CONSENT = "consent", _("Record consent and opt-outs")
    MESSAGES = "messages", _("Send one message to one customer")
    INBOX = "inbox", _("Show customers their inbox")
    READ = "read", _("See whole phone numbers and addresses")


class IntegrationKind(models.TextChoices):
    """In which form a shop system tells us of its orders."""

    SHOPIFY = "shopify", _("Shopify webhooks")
    YOUZAN = "youzan", _("Youzan push")
    GENERIC = "generic", _("A system of your own")
