// What became of an alert on this screen, told to the service where the payload asks for it: never more than the alert
// and the event, or, where the reader has agreed to that, the subscription too.

const SPREAD = 120_000;
// Chromium ends a worker 90 s after a push, Firefox after 60. What is left then goes with the next event or visit.
const LONGEST_WAIT = 80_000;
const OLDEST = 7 * 86_400_000;

let sending = null;
// Set by each new wish to send, so that one which comes while the last is about to end is not lost.
let asked = false;
let end = 0;
let wake = () => {};

/** Once for an alert and event, however often it happens. A click closes a notification, and is no "closed". */
async function tell(alert, event) {
  const now = Date.now();
  const due = event === "clicked" ? now : now + Math.random() * SPREAD;
  const isNew = await inJournal(({ told, outbox }) => {
    const said = (each) => told.includes(`${alert} ${each}`);
    if (said(event) || (event === "closed" && said("clicked"))) return false;
    told.push(`${alert} ${event}`);
    outbox.push({ alert, event, due });
    return true;
  });
  if (event === "clicked") await sendDue();
  else if (isNew) waitInAnEventOfItsOwn();
}

/**
 * At the end of a push event Chromium counts what is on the screen. Did that event wait for a receipt, then a reader who
 * closes the notification meanwhile would make it one that showed nothing. A message to ourselves is another event.
 */
function waitInAnEventOfItsOwn() {
  self.registration.active?.postMessage({ tocsin: "receipts" });
}

function sendReceipts() {
  asked = true;
  end = Date.now() + LONGEST_WAIT;
  wake();
  sending ??= sendWhileAsked().finally(() => {
    sending = null;
  });
  return sending;
}

async function sendWhileAsked() {
  for (;;) {
    asked = false;
    await sendDue();
    const next = await inJournal(({ outbox }) => Math.min(...outbox.map(({ due }) => due)));
    if (asked) continue;
    if (next > end) return;
    await new Promise((resolve) => {
      wake = resolve;
      setTimeout(resolve, next - Date.now());
    });
  }
}

/** Taken out before they are sent: rather one too few than one too many. */
async function sendDue() {
  const now = Date.now();
  const due = await inJournal((journal) => {
    const ready = journal.outbox.filter((receipt) => receipt.due <= now);
    journal.outbox = journal.outbox.filter((receipt) => receipt.due > now);
    return ready.filter((receipt) => receipt.due > now - OLDEST);
  });
  await Promise.all(due.map((receipt) => send(receipt).catch(() => null)));
}

async function send({ alert, event }, site = null) {
  const name = await nameFor(site ?? (await knownSite().catch(() => null)));
  // As text it needs no question beforehand (CORS preflight). A service that is too busy is not asked twice.
  const response = await fetch(at("v1/receipts"), {
    method: "POST",
    headers: { "Content-Type": "text/plain" },
    body: JSON.stringify({ alert, event, ...name }),
    credentials: "omit",
    referrerPolicy: "no-referrer",
    keepalive: true,
  });
  if (response.status === 422 && !site) await send({ alert, event }, await freshSite());
}

/** Nothing, but where the service keeps each browser's own and the reader has agreed to the text that says so. */
async function nameFor(site) {
  if (site?.receipts !== "individual") return {};
  const { id, token, consent } = (await keptRecord()) ?? {};
  return token && consent && consent === site.consent?.text_version ? { subscription: id, token } : {};
}
