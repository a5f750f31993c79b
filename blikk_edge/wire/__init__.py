"""The words as bytes on MQTT and back; pure. The same contract stands as data in `contract/`."""
