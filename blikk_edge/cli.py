"""The command line: run, demo, check, replay, models. The only place that prints."""
