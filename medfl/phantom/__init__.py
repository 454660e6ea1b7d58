"""Synthetic chest radiographs: a simulated dataset that needs no download.

Nothing here is a patient. ``projection`` is the geometry of rays, ``anatomy`` the thorax and its
findings, ``scanner`` the detectors, ``writer`` the DICOM files.
"""
