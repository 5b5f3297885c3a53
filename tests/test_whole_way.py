"""The main job, end to end: browsers subscribe, an editor sends, each that wants the alert decrypts it once."""

from town import Town

SHARES = {"fcm": 0.4, "mozilla": 0.2, "apple": 0.2, "wns": 0.2}


async def test_each_browser_gets_what_it_wants_and_nothing_else(town: Town) -> None:
    followers = await town.subscribe(120, {"topics": ["world"]}, SHARES)
    choosy = await town.subscribe(30, {"topics": ["world"], "min_level": "flash"}, SHARES)
    own_level = await town.subscribe(20, {"topics": ["world"], "topic_levels": {"world": "flash"}}, SHARES)
    others = await town.subscribe(30, {"topics": ["sport"]}, SHARES)

    alert = await town.ended((await town.send())["id"])

    assert alert["state"] == "sent"
    progress = alert["progress"]
    assert (progress["eligible"], progress["accepted"]) == (120, 120)
    assert progress["skipped"] == {"level": 50}
    assert sum(counts["accepted"] for counts in progress["by_push_service"].values()) == 120
    assert progress["within_120_s"] == 120
    assert await town.got(alert["id"], followers) == [1] * 120
    assert await town.got(alert["id"], [*choosy, *own_level, *others]) == [0] * 80


async def test_what_arrives_is_the_alert_unaltered(town: Town) -> None:
    (browser,) = await town.subscribe(1)
    alert = await town.ended((await town.send(headline="Überraschung 🏴󠁧󠁢󠁳󠁣󠁴󠁿 “quoted”", language="de"))["id"])

    (message,) = (await town.simulator.browser(browser.id)).messages

    shown = message.payload["notification"]
    assert message.payload["web_push"] == 8030
    assert (shown["title"], shown["body"]) == (alert["headline"], alert["body"])
    assert (shown["navigate"], shown["lang"]) == (alert["url"], "de")
    about = {"alert": alert["id"], "level": "breaking", "topics": ["world"], "receipts": 1}
    assert shown["data"]["tocsin"] == about
    assert shown["tag"] == message.topic
    assert (message.ttl, message.urgency) == (14_400, "high")


async def test_a_key_is_signed_once_for_each_push_service(town: Town) -> None:
    before = await town.simulator.summary()
    await town.subscribe(60, None, SHARES)
    await town.ended((await town.send())["id"])
    await town.ended((await town.send())["id"])

    after = await town.simulator.summary()

    for name, service in after.push_services.items():
        # Two workers send, each with a token of its own for hours.
        assert service.tokens <= max(before.push_services[name].tokens, 2)
