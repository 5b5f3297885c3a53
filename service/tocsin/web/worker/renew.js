// The browser gave the subscription up for another one: the service learns of it, and the preferences stay.

function keyBytes(base64url) {
  const binary = atob(base64url.replace(/-/g, "+").replace(/_/g, "/"));
  return Uint8Array.from(binary, (char) => char.charCodeAt(0));
}

/** The key that it was made with: one that the browser gives by itself has that of the one before, whatever is present now. */
function keyOf(subscription) {
  const key = subscription.options?.applicationServerKey;
  if (!key) return undefined;
  const text = btoa(String.fromCharCode(...new Uint8Array(key)));
  return text.replace(/\+/g, "-").replace(/\//g, "_").replace(/=/g, "");
}

/** Not for the subscription of somebody else, in whose worker we are, and not for a reader who has left. */
async function renew({ oldSubscription, newSubscription }) {
  const record = await keptRecord();
  if (!record) return;
  if (!ALONE && oldSubscription && oldSubscription.endpoint !== record.endpoint) return;
  const site = await freshSite();
  // A push service may take its time; pages are not kept waiting meanwhile.
  const subscription = newSubscription ?? await self.registration.pushManager.subscribe({
    userVisibleOnly: true,
    applicationServerKey: keyBytes(site.application_server_key),
  });
  await locked(() => take(subscription));
}

/**
 * The page of a reader who left was closed before the browser gave the subscription up. A push has to show something, so
 * this one came; it is the last. Where they were told that subscribing failed, the page did not know an endpoint.
 */
async function endWhatWasLeft() {
  if (await left()) await locked(giveUp);
}

async function left() {
  const record = await kept(RECORD);
  return record?.ended ? record : null;
}

async function giveUp() {
  const mark = await left(); // unless the reader has come back meanwhile
  const subscription = await self.registration.pushManager.getSubscription();
  if (mark && subscription && (mark.endpoint ?? subscription.endpoint) === subscription.endpoint) await subscription.unsubscribe();
}

async function take(subscription) {
  const record = await keptRecord();
  if (!record) await subscription.unsubscribe(); // left meanwhile
  if (!record || record.endpoint === subscription.endpoint) return;
  try {
    const registered = await register(subscription, record);
    await keep(RECORD, { ...registered, endpoint: subscription.endpoint, consent: record.consent, names: record.names });
  } catch (error) {
    if (error.status !== 410) throw error;
    // Erased on its reader's request. The page keeps a record, too, and drops it when it sees this mark.
    await keep(RECORD, { ended: true, endpoint: record.endpoint });
    await subscription.unsubscribe();
  }
}

/** The preferences go along: where the service knows the old one no more, they are all that is left of them. */
async function register(subscription, record) {
  const whose = { subscription: subscription.toJSON(), application_server_key: keyOf(subscription) };
  const post = (body) => answered("v1/subscriptions", { method: "POST", body: { ...whose, ...body } });
  if (!record.token) return post({});
  const replaces = { id: record.id, token: record.token };
  try {
    return await post({ replaces, preferences: record.preferences ?? {} });
  } catch (error) {
    // A topic among them may be gone, and then what the service has of them will do.
    if (error.status !== 422) throw error;
    return post({ replaces });
  }
}
