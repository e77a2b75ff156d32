"""What runs on AWS, derived from the plugins: functions, permissions, the template, bundles; and a look at a stage."""
