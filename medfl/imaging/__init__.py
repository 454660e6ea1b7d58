"""Pixels: files of many formats become arrays, each in its modality's own way."""
