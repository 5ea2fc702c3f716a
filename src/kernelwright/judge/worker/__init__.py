"""What runs inside the sandbox: the warm parent that forks, and the harness around one candidate.

Everything in here may be read, patched or lied about by the candidate it serves. Nothing in here decides anything: it
hands over raw outputs and raw time stamps, and the judge, in another process, makes up its mind.
"""
