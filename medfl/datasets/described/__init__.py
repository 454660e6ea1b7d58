"""A person's own data, which a YAML file describes, or a class with one method reads.

``schema.py`` and ``sections.py`` hold what the YAML may say, ``find.py`` finds such files,
``files.py``, ``table.py`` and ``join.py`` bring files and table together, ``custom.py`` holds the
class.
"""
