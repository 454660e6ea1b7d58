"""What a run and a grid leave behind: the files, their columns, the record.

The engine writes results with this room, and the report reads them with it. It knows neither.
"""
