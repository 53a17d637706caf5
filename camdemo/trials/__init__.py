"""Trials: what a finding can be put to. A heat map is a claim, and can be tested.

The arithmetic is in `trust`, the networks are behind the engine; here the two meet. What takes
many forwards waits behind everybody else's questions, and ends when whoever asked has gone.
"""

from .checked import CheckTrials
from .drawn import CurveTrials
from .hidden import HidingTrials
from .scored import ScoreTrials


class Trials(HidingTrials, ScoreTrials, CurveTrials, CheckTrials):
    """What `Finding` and `Explanation` can be asked about themselves; the fields are theirs."""
