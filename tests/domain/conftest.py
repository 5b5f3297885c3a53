"""Properties are checked without a clock: on a busy machine it would fail what is right."""

from hypothesis import settings

settings.register_profile("no clock", deadline=None)
settings.load_profile("no clock")
