"""What presses the doorbell besides MQTT: a button on GPIO, a hook over HTTP on loopback."""
