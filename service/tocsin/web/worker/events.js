// The events, and whose they are. In a newsroom's own worker we take what bears our mark and stop it there, so that
// nothing shows twice; all else is for the handlers beside ours.

// How long the handlers beside ours may take to show something for a push that nobody can read.
const OTHERS_TURN = 2_000;

/** `ours`, `theirs`, or `unreadable`: then it may be anybody's. */
function whose(data) {
  try {
    const { tocsin } = data.json().notification?.data ?? {};
    return tocsin?.alert || tocsin?.test ? "ours" : "theirs";
  } catch {
    return "unreadable";
  }
}

const isOurs = (notification) => Boolean(notification.data?.tocsin);

self.addEventListener("push", (event) => {
  const owner = ALONE ? "ours" : whose(event.data);
  if (owner === "theirs") return;
  if (owner === "unreadable") {
    event.waitUntil(whenNobodyElseShows(showNewest));
    return;
  }
  event.stopImmediatePropagation();
  event.waitUntil(showPush(event.data).catch(showNewest).then(endWhatWasLeft));
});

async function showPush(data) {
  await showAlert(data.json().notification);
}

let watching = 0;
let shownMeanwhile = 0;

/** Whether anything is shown from now until the answer is asked for. */
function watch() {
  const { registration } = self;
  const before = shownMeanwhile;
  watching += 1;
  registration.showNotification = (...words) => {
    shownMeanwhile += 1;
    return ServiceWorkerRegistration.prototype.showNotification.apply(registration, words);
  };
  return () => {
    watching -= 1;
    if (!watching) delete registration.showNotification;
    return shownMeanwhile > before;
  };
}

/** Only where the subscription is the one that we keep; others show what is theirs in their turn. */
async function whenNobodyElseShows(showOurs) {
  const anythingShown = watch();
  const current = self.registration.pushManager.getSubscription().catch(() => null);
  const [record, subscription] = await Promise.all([keptRecord(), current]);
  const mine = Boolean(record?.token) && record.endpoint === subscription?.endpoint;
  if (mine) await new Promise((resolve) => setTimeout(resolve, OTHERS_TURN));
  const seen = anythingShown();
  if (mine && !seen) await showOurs();
}

self.addEventListener("notificationclick", (event) => {
  const { notification, action } = event;
  if (!isOurs(notification)) return;
  event.stopImmediatePropagation();
  event.waitUntil(act(notification, action));
});

async function act(notification, action) {
  const { tocsin, navigate, actions = {}, tells } = notification.data;
  if (action === MUTE || action === UNMUTE) return setMuted(notification, action === MUTE);
  notification.close();
  const target = webAddress(actions[action] ?? navigate);
  // The window first: a browser lets it open only shortly after the click.
  if (target) await open(target).catch((error) => console.warn("tocsin: the page could not be opened", error));
  return tells ? tell(tocsin.alert, "clicked") : undefined;
}

self.addEventListener("notificationclose", (event) => {
  if (!isOurs(event.notification)) return;
  event.stopImmediatePropagation();
  const { tocsin, tells } = event.notification.data;
  if (tells && !wasReplaced(event.notification)) event.waitUntil(tell(tocsin.alert, "closed"));
});

/** Where it leads says the payload, or our own service; no page and no other site can put an address there. */
function webAddress(value) {
  try {
    const url = new URL(value);
    return url.protocol === "https:" || url.protocol === "http:" ? url : null;
  } catch {
    return null;
  }
}

const withoutFragment = (address) => address.split("#")[0];

async function open(target) {
  const windows = await self.clients.matchAll({ type: "window", includeUncontrolled: true });
  const already = windows.find(({ url }) => url === target.href)
    ?? (target.hash ? undefined : windows.find(({ url }) => withoutFragment(url) === target.href));
  await (already ? already.focus() : self.clients.openWindow(target.href));
}

self.addEventListener("pushsubscriptionchange", (event) => {
  event.waitUntil(renew(event).catch((error) => {
    console.warn("tocsin: the subscription could not be renewed; the next visit will", error);
  }));
});

// What pages, and we ourselves, have to say to us.
const TOLD = {
  receipts: sendReceipts,
  visit: visited,
  // Only where Tocsin is in a worker does anything answer a page, which would not say otherwise that alerts are on.
  here: async ({ tocsin }, port) => port.postMessage({ tocsin }),
  "take over": takeOver,
};

self.addEventListener("message", (event) => {
  const work = TOLD[event.data?.tocsin];
  if (!work) return;
  event.stopImmediatePropagation();
  event.waitUntil(work(event.data, event.ports[0]));
});

/** The page knows what the site offers: it has just asked. */
async function visited({ site }) {
  if (site) await keep(SITE, site);
  if (!(await keptRecord())) await forgetAll();
  await sendReceipts();
}

/** Said by a page to a worker that waits while one without Tocsin is active. */
async function takeOver({ tocsin }, port) {
  if (self.tocsinWaits) return;
  port.postMessage({ tocsin });
  await self.skipWaiting();
}

// Else whether a newsroom's worker waits for its turn is for the newsroom to say.
self.addEventListener("install", (event) => {
  const site = freshSite().catch(() => null);
  if (ALONE) event.waitUntil(Promise.all([self.skipWaiting(), site]));
});

self.addEventListener("activate", (event) => {
  if (ALONE) event.waitUntil(self.clients.claim());
});
