"""Which events does a subscription concern: the EventBridge pattern language, MQTT topics, and an index over both."""
