-- For timelines: what happened in the order of its time, and what has been stored lately.
CREATE INDEX records_in_order ON records (kind, at) WHERE NOT stale;
CREATE INDEX records_by_storing ON records USING brin (stored) WITH (autosummarize = on);
