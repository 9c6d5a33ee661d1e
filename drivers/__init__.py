"""Drivers talk to devices; they know nothing of schedules, verdicts, the county or MQTT."""
