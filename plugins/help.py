"""Lists in Slack and on Alexa what the bot can do, from what the plugins declare."""

from botplatform import Context, PluginInfo, Reply, alexa, slack

STATE = False


@slack.command("/help")
@slack.event("app_mention")
@alexa.intent("AMAZON.HelpIntent")
def answer(ctx: Context) -> Reply:
    lines = [f"{plugin.summary} ({', '.join(_ways(plugin))})" for plugin in ctx.plugins if plugin.subscriptions]
    samples = [
        sample for plugin in ctx.plugins for s in plugin.subscriptions for sample in s.options.get("samples", ())
    ]
    spoken = f"You can say: {', or: '.join(sample.translate(_NO_BRACES) for sample in samples[:3])}."
    return Reply("\n".join(f"• {line}" for line in lines), speech=spoken, reprompt="What would you like?")


_NO_BRACES = str.maketrans("", "", "{}")


def _ways(plugin: PluginInfo) -> list[str]:
    return [f"{s.source} {s.summary}" for s in plugin.subscriptions]
