// The browser gave the subscription up for another one: the service learns of it, and the preferences stay.

function keyBytes(base64url) {
  const binary = atob(base64url.replace(/-/g, "+").replace(/_/g, "/"));
  return Uint8Array.from(binary, (char) => char.charCodeAt(0));
}

/** Not for the subscription of somebody else, in whose worker we are. */
async function renew({ oldSubscription, newSubscription }) {
  const record = await kept(RECORD);
  if (!ALONE && !record) return;
  if (!ALONE && oldSubscription && oldSubscription.endpoint !== record.endpoint) return;
  const site = await freshSite();
  const subscription = newSubscription ?? await self.registration.pushManager.subscribe({
    userVisibleOnly: true,
    applicationServerKey: keyBytes(site.application_server_key),
  });
  const registered = await register(subscription.toJSON(), record);
  await keep(RECORD, { ...registered, endpoint: subscription.endpoint });
}

async function register(subscription, record) {
  const post = (body) => answered("v1/subscriptions", { method: "POST", body: { subscription, ...body } });
  if (!record?.token) return post({});
  try {
    return await post({ replaces: { id: record.id, token: record.token } });
  } catch (error) {
    // The old one may be gone there already; the reader's choices are known here as well.
    if (!(error.status >= 400 && error.status < 500) || error.status === 429) throw error;
    return post({ preferences: record.preferences ?? {} });
  }
}
