"""A person's own data: described by a YAML file, or by a class with one method.

``schema.py`` is what the YAML may say, ``find.py`` where such files lie, ``files.py`` and
``join.py`` bring files and table together, ``custom.py`` is the class.
"""
