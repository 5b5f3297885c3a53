// Everything that comes onto the screen.

const ICONS = { icon: at("assets/icon-192.png"), badge: at("assets/badge.png") };
const READ = "tocsin:read";
const MUTE = "tocsin:mute";
const UNMUTE = "tocsin:unmute";
// How old the list of recent alerts may be: five seconds at a proxy, one at the service.
const LIST_AGE = 6_000;
const RANKS = ["update", "breaking", "flash"];

let lastStamp = 0;
// By tag, when its newest was shown: Firefox tells of one that another replaces as if the reader had closed it.
const newest = new Map();

/** A correction, a retraction and what they stand for are one chain; a summary is known by its tag. */
function chainOf(about, tag) {
  return about.alerts ? `summary ${tag}` : about.corrects ?? about.alert;
}

/** @returns {{chain: string, alert: string, ids: string[], title: string, options: object}} */
function cardOf({ title, navigate, actions, ...options }, record, word) {
  if (typeof title !== "string" || !title) throw new TypeError("a push without a title");
  const about = options.data?.tocsin ?? {};
  const ids = about.alerts ?? [about.alert];
  const theirs = (Array.isArray(actions) ? actions : []).filter(({ action, title: label }) => action && label);
  const data = {
    tocsin: about,
    navigate,
    actions: Object.fromEntries(theirs.map((each) => [each.action, each.navigate])),
    // Drawn once an alert, so that who tells that it was shown tells of the click, too.
    tells: Boolean(about.alert) && Math.random() < (about.receipts ?? 0),
  };
  const buttons = [...theirs.map(({ action, title: label }) => ({ action, title: label })), ...ours(about, record, word)];
  return {
    chain: chainOf(about, options.tag),
    alert: about.alerts ? [...ids].sort().at(-1) : about.alert,
    ids,
    title,
    options: { ...ICONS, ...options, data, actions: withRoom(buttons) },
  };
}

function ours(about, record, word) {
  if (!about.alert) return [];
  const mute = about.story && record?.token ? [{ action: MUTE, title: word("mute") }] : [];
  return [{ action: READ, title: word("read") }, ...mute];
}

/** The editor's come first. Where one place is left, it is not for reading: that is what a click anywhere does. */
function withRoom(buttons) {
  const room = globalThis.Notification?.maxActions || 2;
  if (buttons.length <= room) return buttons;
  const spare = buttons.filter(({ action }) => action !== READ);
  return (spare.length >= room ? spare : buttons).slice(0, room);
}

async function showAlert(notification) {
  const record = await keptRecord();
  const found = cardOf(notification, record, await wordsFor(record));
  if (!found.alert) return show(found.title, found.options);
  const { card, again } = await inJournal((journal) => newestOf(journal, found));
  await show(card.title, again ? { ...card.options, silent: true } : card.options, card.chain);
  // It is on the screen: nothing that fails from here on may show anything more.
  if (card.options.data.tells) await tell(card.options.data.tocsin.alert, "shown").catch(() => null);
}

/** Takes the place of what the chain had on the screen, also where a browser does not know tags (Safari). */
async function show(title, options, chain = null) {
  lastStamp = Math.max(Date.now(), lastStamp + 1);
  const stamp = lastStamp;
  const data = { ...options.data, stamp };
  if (options.tag) newest.set(options.tag, stamp);
  try {
    await self.registration.showNotification(title, { ...options, data });
  } catch {
    // A browser that refuses one of the options still shows the words and knows the address.
    await self.registration.showNotification(title, { body: options.body ?? "", tag: options.tag ?? "", data });
  }
  if (chain !== null) await closeOlder(chain, stamp).catch(() => null);
}

const wasReplaced = ({ tag, data }) => newest.get(tag) > data.stamp;

async function closeOlder(chain, stamp) {
  for (const shown of await self.registration.getNotifications()) {
    const { tocsin, stamp: other } = shown.data ?? {};
    if (tocsin?.alert && other < stamp && chainOf(tocsin, shown.tag) === chain) shown.close();
  }
}

/** For a push that says nothing: the newest alert for this reader that was not shown yet, else that there is news. */
async function showNewest() {
  try {
    const record = await keptRecord();
    const newest = (await newestUnseen(record)) ?? (await later(LIST_AGE, () => newestUnseen(record)));
    if (newest) return await showAlert(await asNotification(newest));
  } catch (error) {
    console.warn("tocsin: what was sent lately could not be had", error);
  }
  return showPlainNotice();
}

async function newestUnseen(record) {
  const alerts = await recentAlerts(record?.preferences);
  return inJournal(({ shown }) => alerts.find(({ id }) => !shown.includes(id)));
}

async function later(milliseconds, work) {
  await new Promise((resolve) => setTimeout(resolve, milliseconds));
  return work();
}

async function recentAlerts(preferences) {
  const topics = (preferences?.topics ?? []).join(",");
  const asked = (query) => answered(`v1/alerts/recent${query}`, { cache: "no-cache" });
  // A topic that is gone, or more of them than an address holds, are refused.
  const { alerts } = await asked(topics ? `?topics=${topics}` : "").catch((error) => {
    if (!topics || !error.status) throw error;
    return asked("");
  });
  return alerts.filter((alert) => wanted(alert, preferences));
}

function wanted({ topics, level, story }, preferences) {
  if (!preferences) return true;
  const has = (choices) => story && (choices ?? []).some((choice) => (choice.story ?? choice) === story);
  if (has(preferences.muted_stories)) return false;
  const least = (topic) => preferences.topic_levels?.[topic] ?? preferences.min_level ?? "update";
  const followed = topics.filter((topic) => preferences.topics?.includes(topic));
  return has(preferences.followed_stories) || followed.some((topic) => RANKS.indexOf(level) >= RANKS.indexOf(least(topic)));
}

async function asNotification({ id, kind, headline, body, url, topics, level, story, corrects }) {
  const about = { alert: id, level, topics, ...(story && { story }), ...(corrects && { kind, corrects }) };
  const tag = await collapseKey(corrects ?? id);
  return { title: headline, body, navigate: url, dir: "auto", tag, data: { tocsin: about } };
}

/** The tag that its push has: base64url of SHA-256, the first 32 characters. */
async function collapseKey(alert) {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(alert));
  const binary = String.fromCharCode(...new Uint8Array(digest));
  return btoa(binary).replaceAll("+", "-").replaceAll("/", "_").slice(0, 32);
}

async function showPlainNotice() {
  const [record, site] = await Promise.all([keptRecord(), knownSite().catch(() => null)]);
  const word = await wordsFor(record);
  const title = site?.name ? word("news").replace("{site}", () => site.name) : word("news_unnamed");
  const { lang, dir } = word;
  const data = { tocsin: {}, navigate: READER || at("") };
  await self.registration.showNotification(title, { ...ICONS, body: word("news_body"), lang, dir, tag: "tocsin-plain", data });
}
