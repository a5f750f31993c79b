"""The desk at which enrichers ask the model: one queue, one budget, one circuit breaker."""
