"""Benchmark suites: many problems, one results file, and what it says in numbers.

``kernelbench`` finds problems, ``runner`` has each one worked on in a process of its own (``child``), ``records`` is
the file, ``merge`` joins several, ``scores`` counts.
"""
