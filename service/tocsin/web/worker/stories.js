// "Mute this story", and the way back.

/** @param {Notification} notification The alert's, or the one that says that its story is muted. */
async function setMuted(notification, muted) {
  const { tocsin, navigate } = notification.data;
  const record = await keptRecord();
  const word = await wordsFor(record);
  let said = muted ? "muted" : "unmuted";
  let action = muted ? { action: UNMUTE, title: word("undo") } : { action: MUTE, title: word("mute") };
  try {
    await locked(() => mute(tocsin.story, muted));
  } catch (error) {
    console.warn("tocsin: the story could not be muted", error);
    said = muted ? "not_muted" : "not_unmuted";
    action = muted ? { action: MUTE, title: word("again") } : { action: UNMUTE, title: word("again") };
  }
  const options = {
    ...ICONS,
    body: word(said),
    tag: notification.tag,
    dir: "auto",
    silent: true,
    data: { tocsin, navigate, actions: {}, tells: false },
    actions: [action],
  };
  await show(notification.title, options, chainOf(tocsin, notification.tag));
}

/** An array is replaced whole by a merge patch, so what the service holds now is asked first. */
async function mute(story, muted) {
  const record = await keptRecord();
  if (!record?.token) throw new Error("this browser is not subscribed");
  const { id, token } = record;
  const path = `v1/subscriptions/${encodeURIComponent(id)}`;
  const { preferences } = await answered(path, { token, cache: "no-store" });
  const others = (preferences.muted_stories ?? []).filter((choice) => (choice.story ?? choice) !== story);
  const body = { muted_stories: muted ? [...others, story] : others };
  const changed = await answered(`${path}/preferences`, { method: "PATCH", token, body });
  await keep(RECORD, { ...record, preferences: changed.preferences });
}
