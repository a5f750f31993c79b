"""Several nodes that share the cameras of a site, over NATS JetStream; the only room that imports `nats`.

Nothing of it is imported by a node without `fleet:`, but for the options.
"""
