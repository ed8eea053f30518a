"""Blends: a few different models whose logits are averaged, offered only if that gains."""

from goemo.blending.judged import Blend, find_blend
from goemo.blending.members import Candidate, Member, blended_scores, pick_members

__all__ = [
    "Blend",
    "Candidate",
    "Member",
    "blended_scores",
    "find_blend",
    "pick_members",
]
