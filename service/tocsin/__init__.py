"""Tocsin: breaking-news alerts for newsrooms, over Web Push."""

from importlib.metadata import version

__version__ = version("tocsin")
