def test_it_lists_what_every_plugin_does_and_listens_to(platform):
    lines = platform.slack("/help").text.splitlines()
    assert all(line.startswith("• ") for line in lines)
    assert (
        "• Texts the owner when a room gets hotter than 30 °C, at most once an hour for each room. "
        "(mqtt sensors/{room}/temperature)"
    ) in lines


def test_it_answers_in_the_channel_where_it_is_mentioned(platform):
    platform.slack_event("app_mention", text="<@U0BOT> help", channel="C0HOME")
    ((channel, text),) = platform.slack_messages
    assert channel == "C0HOME"
    assert "slack /help" in text


def test_it_does_not_answer_bots(platform):
    platform.slack_event("app_mention", text="<@U0BOT> help", bot_id="B0OTHER")
    assert platform.slack_messages == []


def test_it_says_on_alexa_what_one_can_ask_and_waits(platform):
    reply = platform.alexa.intent("AMAZON.HelpIntent")
    assert reply.speech.startswith("You can say: lock the door, or: ")
    assert reply.reprompt == "What would you like?"
