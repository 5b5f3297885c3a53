"""Stop means stop (G5): by the push services' own log, not by ours."""

import time

from tocsin.simulator.faults import DelayFault
from town import Town

COUNT = 400


async def test_no_request_arrives_later_than_two_seconds_after_a_stop(town: Town) -> None:
    await town.subscribe(COUNT, None, {"fcm": 0.5, "mozilla": 0.5})
    for name in ("fcm", "mozilla"):
        await town.simulator.set_faults(name, DelayFault(milliseconds=400))
    alert_id = (await town.send())["id"]
    await town.progress_until(alert_id, lambda progress: 0 < progress["accepted"] < COUNT)

    status, stopped = await town.call("POST", f"/v1/alerts/{alert_id}/stop", headers=town.editor)
    answered_at = time.time()

    assert (status, stopped["state"]) == (200, "stopped")
    alert = await town.ended(alert_id)
    lines = await town.simulator.log(limit=COUNT)
    assert alert["progress"]["stopped"] > 0
    assert alert["progress"]["accepted"] + alert["progress"]["stopped"] == COUNT
    # A line is written when its request is answered, here 0.4 s after it came.
    assert max(line.at for line in lines) < answered_at + 2 + 0.4
