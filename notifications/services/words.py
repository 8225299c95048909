"""Sentences for readers of whom no job knows the language."""

from collections.abc import Callable

from django.conf import settings
from django.utils.translation import override


def in_every_language(sentence: Callable[[], str]) -> dict[str, str]:
    """A sentence in each language of the deployment."""
    words = {}
    for language, _name in settings.LANGUAGES:
        with override(language):
            words[language] = str(sentence())
    return words
