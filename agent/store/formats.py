"""What the stores are made of, format by format; `Database` says how they are used."""

from agent.store import inspections, journal, outbox, patrol_record

ALARM_FORMATS = (outbox.SCHEMA, outbox.REPLAYS)
EVENT_FORMATS = (
    outbox.SCHEMA + journal.SCHEMA,
    outbox.REPLAYS,
    inspections.SCHEMA,
    patrol_record.SCHEMA,
)
