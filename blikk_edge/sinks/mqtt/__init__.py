"""MQTT out and in; the only rooms that import `aiomqtt`."""
