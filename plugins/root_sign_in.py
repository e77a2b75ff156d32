"""Texts the owner when the root user of the AWS account signs in or does anything else."""

from botplatform import Context, Event, cloudtrail

USES = ["text"]

# What AWS services do in the name of root is no person at the keyboard (CIS AWS Foundations Benchmark, 4.3).
BY_ROOT = {
    "userIdentity": {"type": ["Root"], "invokedBy": [{"exists": False}]},
    "eventType": [{"anything-but": "AwsServiceEvent"}],
}


@cloudtrail.event(BY_ROOT, name="anything root does")
def warn(event: Event, ctx: Context) -> None:
    record = event.data
    act = "signed in" if record["eventName"] == "ConsoleLogin" else f"called {record['eventName']}"
    account = record.get("recipientAccountId", "unknown")
    where = record.get("sourceIPAddress", "an unknown address")
    ctx.text("owner", f"Root of AWS account {account} {act} from {where}.", once_per="10m", about=f"{account} {act}")
