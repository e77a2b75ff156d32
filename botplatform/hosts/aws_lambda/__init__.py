"""The host on AWS Lambda: one function for each plugin, one for Slack's URL, one for Alexa, one that sweeps."""
