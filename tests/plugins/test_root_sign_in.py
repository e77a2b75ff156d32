import pytest

SIGN_IN = {
    "eventID": "1",
    "eventSource": "signin.amazonaws.com",
    "eventName": "ConsoleLogin",
    "eventType": "AwsConsoleSignIn",
    "eventTime": "2026-01-05T11:55:00Z",
    "userIdentity": {"type": "Root", "accountId": "111122223333"},
    "recipientAccountId": "111122223333",
    "sourceIPAddress": "203.0.113.7",
}


def test_it_texts_the_owner_when_root_signs_in(platform):
    platform.cloudtrail(SIGN_IN)
    assert platform.texts == [("owner", "Root of AWS account 111122223333 signed in from 203.0.113.7.")]


def test_it_texts_the_owner_when_root_does_anything_else(platform):
    platform.cloudtrail({**SIGN_IN, "eventName": "CreateAccessKey", "eventType": "AwsApiCall"})
    assert platform.texts == [("owner", "Root of AWS account 111122223333 called CreateAccessKey from 203.0.113.7.")]


@pytest.mark.parametrize(
    "changed",
    [
        {"userIdentity": {"type": "IAMUser"}},
        {"userIdentity": {"type": "Root", "invokedBy": "kms.amazonaws.com"}},
        {"eventType": "AwsServiceEvent"},
    ],
    ids=["somebody else", "a service in root's name", "a service"],
)
def test_it_is_silent_about_everybody_else(platform, changed):
    platform.cloudtrail({**SIGN_IN, **changed})
    assert platform.texts == []


def test_the_same_record_delivered_twice_is_one_text(platform):
    platform.cloudtrail(SIGN_IN)
    platform.advance(hours=1)
    platform.cloudtrail({"Records": [SIGN_IN]})
    assert len(platform.texts) == 1


def test_it_texts_once_in_ten_minutes_about_the_same_act(platform):
    for number in range(3):
        platform.cloudtrail({**SIGN_IN, "eventID": f"sign-in-{number}"})
    assert len(platform.texts) == 1
    assert len(platform.suppressed) == 2
