"""The ledger for people: a page that renews itself, in Chinese or English, on any screen."""

import gettext
from collections.abc import Callable, Mapping
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from config.sandbox.gateway import Gateway
from config.sandbox.rules import MAGIC, MAGIC_PREFIX
from customers.msgid import _

LOCALE = Path(__file__).resolve().parent.parent.parent / "locale"
SHOWN = 100

TITLE = _("Sandbox gateway")
EXPLANATION = _("Nothing written here leaves this machine: every message ends in this ledger.")
NUMBERS = _("%(count)s messages accepted, %(waiting)s receipts still to come")
LATEST = _("The latest %d messages")
NOTHING = _("No message has come in yet.")
MAGIC_TITLE = _("Magic numbers: write to one of these to see it happen")
ALL_ACCOUNTS = _("All accounts")
AS_JSON = _("As JSON")
REFERENCE = _("Reference")
REPLY = _("Reply as this number")
OUTCOMES = {
    "delivered": _("Delivered"),
    "undelivered": _("Not delivered"),
    "accepted": _("Accepted"),
}
STYLE = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, "PingFang SC", "Noto Sans CJK SC", sans-serif }
body { max-width: 60rem; margin: 0 auto; padding: 1rem }
h1 { font-size: 1.5rem; margin: 0 } h2 { font-size: 1.1rem; margin-top: 2rem }
article { border: 1px solid #8884; border-radius: .6rem; padding: .6rem .9rem; margin: .6rem 0 }
article p { margin: .3rem 0 0; white-space: pre-wrap; overflow-wrap: anywhere }
.head { display: flex; flex-wrap: wrap; gap: .2rem .9rem; align-items: baseline } .head b { font-size: 1.05rem }
small { opacity: .75; overflow-wrap: anywhere } .delivered { color: #15803d } .undelivered { color: #dc2626 }
.accepted { color: #a16207 } table { border-collapse: collapse; width: 100% }
td { border-top: 1px solid #8884; padding: .35rem .6rem .35rem 0; vertical-align: top }
a { color: inherit }
"""


def language_of(accepted: str) -> str:
    """The first language of a browser that we speak; Chinese where it says nothing we know."""
    for entry in accepted.lower().split(","):
        language = entry.split(";")[0].strip()
        if language.startswith("en"):
            return "en"
        if language.startswith("zh"):
            return "zh-Hans"
    return "zh-Hans"


def translator(language: str) -> Callable[[str], str]:
    """What turns our msgids into a language."""
    if language == "en":
        return lambda words: words
    return gettext.translation("django", str(LOCALE), languages=["zh_Hans"], fallback=True).gettext


def ledger_page(gateway: Gateway, query: Mapping[str, str], accepted: str) -> str:
    """The page as HTML."""
    language = language_of(accepted)
    say = translator(language)
    account = query.get("account")
    count = gateway.ledger.count(account)
    messages = list(gateway.ledger.messages(max(0, len(gateway.ledger) - SHOWN)))[::-1]
    if account is not None:
        messages = [message for message in messages if message["account"] == account]
    numbers = say(NUMBERS) % {"count": f"{count:,}", "waiting": f"{gateway.pusher.waiting_count():,}"}
    cards = "".join(card(message, say) for message in messages) or f"<p>{escape(say(NOTHING))}</p>"
    rows = "".join(
        f"<tr><td><b>{MAGIC_PREFIX}{ending}</b></td><td>{escape(say(rule.words))}</td></tr>"
        for ending, rule in MAGIC.items()
    )
    all_accounts = f'<a href="/">{escape(say(ALL_ACCOUNTS))}</a> · ' if account is not None else ""
    return f"""<!doctype html>
<html lang="{language}"><head><meta charset="utf-8"><title>{escape(say(TITLE))}</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><meta http-equiv="refresh" content="3">
<style>{STYLE}</style></head><body>
<h1>{escape(say(TITLE))}</h1>
<p>{escape(say(EXPLANATION))}</p>
<p><b>{escape(numbers)}</b> · {all_accounts}<a href="/ledger.json">{escape(say(AS_JSON))}</a></p>
<h2>{escape(say(LATEST) % SHOWN)}</h2>
{cards}
<h2>{escape(say(MAGIC_TITLE))}</h2>
<table>{rows}</table>
</body></html>
"""


def card(message: dict[str, Any], say: Callable[[str], str]) -> str:
    """One message as a card."""
    outcome = message["outcome"]
    words = say(OUTCOMES[outcome]) if outcome in OUTCOMES else outcome
    return (
        f'<article><div class="head"><b>{escape(message["number"])}</b>'
        f'<span class="{escape(outcome)}">{escape(words)}</span>'
        f"<small>{escape(message['time'][:19].replace('T', ' '))} UTC · {escape(message['account'])}</small></div>"
        f"<p>{escape(message['text'])}</p>"
        f"<small>{escape(say(REFERENCE))} {escape(message['reference'])} · "
        f'<a href="/reply?{escape(urlencode({"number": message["number"]}))}">{escape(say(REPLY))}</a></small>'
        "</article>"
    )
