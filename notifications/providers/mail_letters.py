"""An e-mail as bytes: its headers, its plain and its formatted text, and how to unsubscribe from it."""

import re
from dataclasses import dataclass
from email.headerregistry import Address as Mailbox
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate

from customers.msgid import _
from notifications.providers.base import Outgoing

# Not every server takes eight bits, and none can be asked before the letter is made.
WIRE = SMTP.clone(cte_type="7bit")
# Local parts outside ASCII need servers that hardly exist; what is refused here would be refused there for all.
ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[^\s@<>()\[\],;:\"\\]{1,253}")
HEADER_SAFE = re.compile(r"[!-~]+")

BAD_ADDRESS = _("This is not an e-mail address. Write it like shop@example.com.")


class BadAddress(ValueError):
    """No letter can go to, or come from, this address; the text is a sentence for staff."""


@dataclass(frozen=True, slots=True)
class Sender:
    """Whom letters come from; `address` is a checked one."""

    address: str
    name: str = ""

    @property
    def domain(self) -> str:
        """What stands behind the @."""
        return self.address.rpartition("@")[2]


def checked_address(address: str) -> str:
    """The address as servers take it, its domain in ASCII. Raises BadAddress."""
    name, _at, domain = address.strip().rpartition("@")
    if not ADDRESS.fullmatch(address.strip()) or "." not in domain:
        raise BadAddress(BAD_ADDRESS)
    try:
        return f"{name}@{domain.encode('idna').decode('ascii').lower()}"
    except UnicodeError:
        raise BadAddress(BAD_ADDRESS) from None


def written(outgoing: Outgoing, *, sender: Sender, to: str) -> bytes:
    """A letter as it goes over the wire; `to` is a checked address."""
    letter = EmailMessage(policy=WIRE)
    letter["Subject"] = outgoing.subject
    letter["From"] = Mailbox(sender.name, addr_spec=sender.address)
    letter["To"] = Mailbox(addr_spec=to)
    letter.set_content(outgoing.text)
    if outgoing.html:
        letter.add_alternative(outgoing.html, subtype="html")
    return _head(outgoing, sender) + letter.as_bytes()


def _head(outgoing: Outgoing, sender: Sender) -> bytes:
    """
    The headers that programs read, each on one line.

    The date is the real one, whatever the clock of the deployment says: servers refuse letters from next week.
    The library folds a long address into encoded words, which no mailbox provider understands in List-Unsubscribe.
    """
    headers = {"Message-ID": f"<{outgoing.reference}@{sender.domain}>", "Date": formatdate()}
    link = outgoing.unsubscribe_url
    if link and HEADER_SAFE.fullmatch(link):
        headers |= {"List-Unsubscribe": f"<{link}>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}
        headers["Precedence"] = "bulk"
    else:
        # Nobody's vacation answers to a notice of an order.
        headers["Auto-Submitted"] = "auto-generated"
    return "".join(f"{name}: {value}\r\n" for name, value in headers.items()).encode("ascii")
