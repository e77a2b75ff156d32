"""MQTT as hosts speak it: a persistent session, whose messages are acknowledged once they are durable."""
