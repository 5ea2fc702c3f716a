"""Where a candidate's time goes: raw events of its process made into a Profile, by the judge.

Start reading at ``profiler.py``. Imports nothing, since workers read ``marks`` from here.
"""
