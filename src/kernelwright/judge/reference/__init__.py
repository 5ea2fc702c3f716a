"""The trusted process that holds the reference: draws inputs, knows the right answers, builds and times baselines.

``server`` is that process; ``client`` is how the judge talks to it. No candidate's code ever runs here: what comes
from a candidate is read as raw numbers, through ``wire``.
"""
