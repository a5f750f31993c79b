"""Everything that runs: scheduler, pipelines, mailboxes, health."""
