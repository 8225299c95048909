"""Questions before an act: a dialog whose answer is a POST, so that no link changes anything."""

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.functional import Promise
from unfold.dataclasses import ActionDialog
from unfold.forms import BaseDialogForm


def ask(title: str | Promise, description: str | Promise, button: str | Promise, form=BaseDialogForm) -> ActionDialog:
    """A dialog of the theme."""
    return ActionDialog(title=title, description=description, form_class=form, form_submit_text=button)


def number_in(object_id: str) -> int:
    """The number in an address of the admin, which lets any text through; 404 for other texts."""
    if not (object_id.isascii() and object_id.isdigit() and len(object_id) < 19):
        raise Http404
    return int(object_id)


def done(request: HttpRequest, url: str, *, said: str | Promise, level: int = messages.SUCCESS) -> HttpResponse:
    """Say one sentence and show the page again, whether the dialog or a plain form asked."""
    messages.add_message(request, level, said)
    if request.headers.get("HX-Request"):
        return HttpResponse(headers={"HX-Redirect": url})
    return redirect(url)
