"""Which addresses we may connect to: refuses private networks, this machine and cloud metadata."""

import ipaddress
import re
from collections.abc import Collection
from typing import NamedTuple
from urllib.parse import urlsplit

from customers.msgid import _


class RefusedAddress(ValueError):
    """We do not connect to this address; the text says why and what to do."""


class Address(NamedTuple):
    """An address taken apart; `host` is in lower-case ASCII, without brackets."""

    secure: bool
    host: str
    port: int
    path: str

    @property
    def bracketed(self) -> str:
        """The host as it stands in a URL."""
        return f"[{self.host}]" if ":" in self.host else self.host

    @property
    def url(self) -> str:
        """The address in its one spelling."""
        return f"http{'s' * self.secure}://{self.bracketed}:{self.port}{self.path}"


HOST = re.compile(r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*")
# The "last label is a number" rule of the WHATWG URL standard: such a host is always an IPv4 address.
NUMBER_AT_END = re.compile(r"(^|\.)([0-9]+|0x[0-9a-f]*)$")
LOCAL_NAMES = (".localhost", ".local", ".localdomain", ".internal", ".home.arpa")
# Azure's metadata service stands on an address that counts as public.
METADATA = ipaddress.ip_address("168.63.129.16")
NAT64 = ipaddress.ip_network("64:ff9b::/96")
LONGEST_URL = 2000

PRIVATE = _(
    "This address belongs to this machine or to a private network. "
    "Enter a public address, or have an administrator list it in GATEWAY_PRIVATE_HOSTS."
)
LEADS_TO_PRIVATE = _(
    "This host name leads to this machine or to a private network. "
    "Enter a public address, or have an administrator list it in GATEWAY_PRIVATE_HOSTS."
)
NOT_HTTP = _("The address must begin with https:// or http://.")
NO_HOST = _("The address names no host. Write it as https://gateway.example.com/send.")
WITH_USER = _("The address must not hold a user name or password; enter the key in its own field.")
BAD_CHARACTER = _("The address holds a space or a character that cannot be in one; copy it anew.")
BAD_HOST = _("This is not a host name. Write it as https://gateway.example.com/send.")
BAD_PORT = _("The port must be a number from 1 to 65535.")
ODD_NUMBERS = _("Write the IP address in its usual form, such as 203.0.113.7.")
TOO_LONG = _("The address is longer than 2,000 characters; shorten it.")


def check_url(url: str, *, private_hosts: Collection[str]) -> Address:
    """
    Take apart an address that may be connected to.

    Looks at the address alone and resolves no names: `check_resolved` does that at connect.
    Raises RefusedAddress with a sentence for staff.
    """
    address = split_url(url)
    if is_listed(address, private_hosts=private_hosts):
        return address
    literal = ip_literal(address.host)
    if literal is not None and not is_public(literal):
        raise RefusedAddress(PRIVATE)
    if address.host == "localhost" or address.host.endswith(LOCAL_NAMES):
        raise RefusedAddress(PRIVATE)
    return address


def check_resolved(address: Address, ips: Collection[str], *, private_hosts: Collection[str]) -> None:
    """Refuse a host of which even one resolved IP address is not public."""
    if is_listed(address, private_hosts=private_hosts):
        return
    if not all(is_public(ipaddress.ip_address(ip.partition("%")[0])) for ip in ips):
        raise RefusedAddress(LEADS_TO_PRIVATE)


def split_url(url: str) -> Address:
    """Split a URL strictly: whatever two readers could read differently is refused."""
    if len(url) > LONGEST_URL:
        raise RefusedAddress(TOO_LONG)
    if any(character <= " " or character in "\\\x7f" for character in url):
        raise RefusedAddress(BAD_CHARACTER)
    try:
        parts = urlsplit(url)
    except ValueError:
        raise RefusedAddress(BAD_HOST) from None
    if parts.scheme not in ("http", "https"):
        raise RefusedAddress(NOT_HTTP)
    if "@" in parts.netloc:
        raise RefusedAddress(WITH_USER)
    secure = parts.scheme == "https"
    try:
        port = (443 if secure else 80) if parts.port is None else parts.port
    except ValueError:
        raise RefusedAddress(BAD_PORT) from None
    if port == 0 or parts.netloc.endswith(":"):
        raise RefusedAddress(BAD_PORT)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if not path.isascii():
        raise RefusedAddress(BAD_CHARACTER)
    return Address(secure, canonical_host(parts.hostname or ""), port, path)


def canonical_host(host: str) -> str:
    """
    The one spelling of a host: lower case, ASCII, and IP addresses in their usual form.

    Decimal, octal, hexadecimal and shortened IPv4 (2130706433, 0177.0.0.1, 127.1) are refused:
    they exist only to get past checks.
    """
    if not host:
        raise RefusedAddress(NO_HOST)
    if ":" not in host:
        try:
            # Turns full-width and circled digits into digits, as the resolver would.
            host = host.encode("idna").decode("ascii").lower().removesuffix(".")
        except UnicodeError:
            raise RefusedAddress(BAD_HOST) from None
    literal = ip_literal(host)
    if literal is not None:
        return str(literal)
    if not HOST.fullmatch(host):
        raise RefusedAddress(BAD_HOST)
    if NUMBER_AT_END.search(host):
        raise RefusedAddress(ODD_NUMBERS)
    return host


def ip_literal(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The IP address that a host is, in its usual form, or None for a name."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def is_listed(address: Address, *, private_hosts: Collection[str]) -> bool:
    """Whether an administrator allowed this host, or this host and port, by name."""
    spellings = {address.host, address.bracketed, f"{address.bracketed}:{address.port}"}
    return any(entry.strip().lower() in spellings for entry in private_hosts)


def is_public(ip: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Whether an IP address, and any IPv4 address inside it, is on the public Internet."""
    if ip == METADATA or ip.is_multicast or not ip.is_global:
        return False
    if isinstance(ip, ipaddress.IPv4Address):
        return True
    if ip.scope_id:
        return False
    inner = [ip.ipv4_mapped, ip.sixtofour, *(ip.teredo or ())]
    if ip in NAT64 or int(ip) >> 32 == 0:
        inner.append(ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF))
    return all(is_public(address) for address in inner if address is not None)
