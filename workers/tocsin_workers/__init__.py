"""Celery workers that take alerts to the push services. What they do is in the store; a message only wakes them."""
