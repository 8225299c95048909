"""The tables of the ways the shop is measured against."""

from django.db import models


class Recipient(models.Model):
    """One message to one person, all of it in one row."""

    name = models.CharField(max_length=60)
    number = models.CharField(max_length=20)
    status = models.CharField(max_length=10, default="queued", db_default="queued")
    provider_id = models.CharField(max_length=80, blank=True, default="", db_default="")
    sent_at = models.DateTimeField(null=True)


class PlainCustomer(models.Model):
    """A customer as one flat row, known by the phone."""

    name = models.CharField(max_length=60)
    phone = models.CharField(max_length=20, unique=True)
    email = models.CharField(max_length=254, blank=True)
    gender = models.CharField(max_length=10, blank=True)
    birthday = models.CharField(max_length=10, blank=True)
    tags = models.CharField(max_length=200, blank=True)
    tier = models.CharField(max_length=30, blank=True)
    province = models.CharField(max_length=60, blank=True)
    city = models.CharField(max_length=60, blank=True)
    external_id = models.CharField(max_length=100, blank=True)
    note = models.TextField(blank=True)
    sms_consent = models.CharField(max_length=10, blank=True)
