"""`blikk demo`: an embedded broker, a clip, the whole pipeline and what it reported."""
