"""The centre of a fleet: what `blikk collect` writes into PostgreSQL, and how it is searched there."""
