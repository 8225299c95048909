"""The campaigns app's models, in reading order."""

from campaigns.models.segment import Segment
from campaigns.models.campaign import Campaign, Variant

__all__ = ["Campaign", "Segment", "Variant"]
