"""The campaigns app's models, in reading order."""

from campaigns.models.segment import Segment
from campaigns.models.campaign import Campaign, Variant
from campaigns.models.kept_review import KeptReview

__all__ = ["Campaign", "KeptReview", "Segment", "Variant"]
