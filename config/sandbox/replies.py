"""Replying as a customer: a small form beside the ledger, pushed to the shop as a real gateway would."""

from collections.abc import Callable
from html import escape
from urllib.parse import parse_qs

from config.sandbox.gateway import BadCall, Gateway, bad_request
from config.sandbox.page import STYLE, language_of, translator
from customers.msgid import _

LONGEST_REPLY = 500
LONGEST_NUMBER = 20
# Older messages are not looked through for the address to push to.
LOOKED_THROUGH = 100_000
SUGGESTED = ("TD", "退订", "R", "别再发了", "什么时候发货？", "谢谢")

TITLE = _("Reply as a customer")
NUMBER = _("Number")
TEXT = _("What the customer writes back")
SEND = _("Push to the shop")
BACK = _("Back to the ledger")
PUSHED = _("The shop has taken the reply. It is worked off within seconds.")
NOT_PUSHED = _("The shop did not take the reply. Look whether it runs, and whether its address is right.")
NOBODY = _("No message has come in yet, so nobody knows where the shop is.")
FORM_STYLE = """
label { display: block; margin: 1rem 0 .3rem }
input, button { font: inherit; padding: .5rem .8rem; border-radius: .5rem; border: 1px solid #8888 }
input { width: 26rem; max-width: 100%; box-sizing: border-box } button { cursor: pointer }
.row { display: flex; flex-wrap: wrap; gap: .5rem; margin-top: 1rem } .good { color: #15803d } .bad { color: #dc2626 }
"""


def reply(gateway: Gateway, number: object, text: object) -> bool:
    """Push a customer's words to the shop that wrote to the number last. Raises BadCall."""
    if not isinstance(number, str) or not isinstance(text, str):
        raise bad_request("number and text must be texts.")
    if not number.strip() or len(number) > LONGEST_NUMBER or not text.strip() or len(text) > LONGEST_REPLY:
        raise bad_request("A reply needs a number and a text of up to 500 characters.")
    address = _shop_of(gateway, number.strip())
    if not address:
        raise BadCall(404, "refused_number", "no_callback", NOBODY)
    return gateway.pusher.push_reply(address, number.strip(), text)


def read_form(body: bytes) -> dict[str, str]:
    """The fields of the form, each once."""
    return {name: values[-1] for name, values in parse_qs(body.decode("utf-8", "replace")).items()}


def reply_page(number: str, accepted: str, *, words: str = "", is_good: bool = True) -> str:
    """The form as HTML, with what became of the last reply."""
    language = language_of(accepted)
    say: Callable[[str], str] = translator(language)
    told = f'<p class="{"good" if is_good else "bad"}">{escape(say(words))}</p>' if words else ""
    quick = "".join(f'<option value="{escape(word)}">' for word in SUGGESTED)
    return f"""<!doctype html>
<html lang="{language}"><head><meta charset="utf-8"><title>{escape(say(TITLE))}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>{STYLE}{FORM_STYLE}</style></head><body>
<h1>{escape(say(TITLE))}</h1>{told}
<form method="post" action="/reply">
<label for="number">{escape(say(NUMBER))}</label>
<input id="number" name="number" value="{escape(number)}" required maxlength="{LONGEST_NUMBER}" inputmode="tel">
<label for="text">{escape(say(TEXT))}</label>
<input id="text" name="text" required maxlength="{LONGEST_REPLY}" autocomplete="off" list="words">
<datalist id="words">{quick}</datalist>
<div class="row"><button>{escape(say(SEND))}</button></div></form>
<p><a href="/">{escape(say(BACK))}</a></p>
</body></html>
"""


def _shop_of(gateway: Gateway, number: str) -> str:
    """Where the shop is told that wrote to a number last; for a stranger, the shop that wrote last at all."""
    latest = found = 0
    for message in gateway.ledger.messages(max(0, len(gateway.ledger) - LOOKED_THROUGH)):
        latest = message.get("callback", 0) or latest
        if message["number"] == number:
            found = message.get("callback", 0) or found
    return gateway.pusher.callback_url(found or latest)
