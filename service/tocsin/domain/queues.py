"""The queues of work. Alerts go by their level; everything that can wait is maintenance."""

PRIORITY, STANDARD, MAINTENANCE = QUEUES = ("priority", "standard", "maintenance")
