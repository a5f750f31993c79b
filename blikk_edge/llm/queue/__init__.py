"""The queue in which calls of the language model wait: one order, one budget, one circuit breaker."""
