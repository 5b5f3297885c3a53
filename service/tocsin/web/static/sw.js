// Tocsin's service worker. A classic script, so that a newsroom's own worker can take it in with importScripts().
{
  const CACHE = "tocsin";
  const BASE = new URL(".", self.location.href);
  const SITE = new URL("v1/site", BASE).href;
  const RECORD = new URL("_tocsin/subscription", BASE).href;
  const ICONS = {
    icon: new URL("assets/icon-192.png", BASE).href,
    badge: new URL("assets/badge.png", BASE).href,
  };

  self.addEventListener("install", (event) => {
    event.waitUntil(Promise.all([self.skipWaiting(), freshSite().catch(() => null)]));
  });

  self.addEventListener("activate", (event) => {
    event.waitUntil(self.clients.claim());
  });

  // Browsers end a subscription whose pushes show nothing (Safari after about three), so something is always shown.
  self.addEventListener("push", (event) => {
    event.waitUntil(showAlert(event.data).catch(showPlainNotice));
  });

  self.addEventListener("notificationclick", (event) => {
    event.notification.close();
    const { navigate, actions = {} } = event.notification.data ?? {};
    const target = webAddress(event.action ? actions[event.action] ?? navigate : navigate);
    if (target) event.waitUntil(open(target));
  });

  self.addEventListener("pushsubscriptionchange", (event) => {
    event.waitUntil(renew(event.newSubscription).catch((error) => {
      console.error("tocsin: the subscription could not be renewed; the next visit will", error);
    }));
  });

  async function showAlert(data) {
    const { title, navigate, actions, ...options } = data.json().notification;
    if (typeof title !== "string" || !title) throw new TypeError("a push without a title");
    const buttons = Array.isArray(actions) ? actions.filter(({ action, title: label }) => action && label) : [];
    const carried = {
      ...options.data,
      navigate,
      actions: Object.fromEntries(buttons.map((button) => [button.action, button.navigate])),
    };
    try {
      await self.registration.showNotification(title, {
        ...ICONS,
        ...options,
        data: carried,
        actions: buttons.map(({ action, title: label }) => ({ action, title: label })),
      });
    } catch {
      // A browser that refuses one of the options still shows the words and knows the address.
      await self.registration.showNotification(title, { body: options.body ?? "", data: carried });
    }
  }

  async function showPlainNotice() {
    const site = await knownSite().catch(() => null);
    const title = site?.name ? `${site.name}: there is news` : "There is news";
    await self.registration.showNotification(title, { ...ICONS, tag: "tocsin-plain" });
  }

  function webAddress(value) {
    try {
      const url = new URL(value);
      return url.protocol === "https:" || url.protocol === "http:" ? url.href : null;
    } catch {
      return null;
    }
  }

  async function open(target) {
    const windows = await self.clients.matchAll({ type: "window", includeUncontrolled: true });
    const already = windows.find((client) => client.url === target);
    await (already ? already.focus() : self.clients.openWindow(target));
  }

  async function freshSite() {
    const response = await fetch(SITE, { cache: "no-cache", credentials: "omit" });
    if (!response.ok) throw new Error(`/v1/site answered ${response.status}`);
    const cache = await caches.open(CACHE);
    await cache.put(SITE, response.clone());
    return response.json();
  }

  async function cached(url) {
    const cache = await caches.open(CACHE);
    return (await cache.match(url))?.json();
  }

  async function knownSite() {
    return (await cached(SITE)) ?? freshSite();
  }

  function keyBytes(base64url) {
    const binary = atob(base64url.replace(/-/g, "+").replace(/_/g, "/"));
    return Uint8Array.from(binary, (char) => char.charCodeAt(0));
  }

  async function renew(renewed) {
    const site = await freshSite();
    const subscription = renewed ?? await self.registration.pushManager.subscribe({
      userVisibleOnly: true,
      applicationServerKey: keyBytes(site.application_server_key),
    });
    const preferences = (await cached(RECORD))?.preferences ?? {};
    const response = await fetch(new URL("v1/subscriptions", BASE), {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      credentials: "omit",
      body: JSON.stringify({ subscription: subscription.toJSON(), preferences }),
    });
    if (!response.ok) throw new Error(`/v1/subscriptions answered ${response.status}`);
    const record = { ...await response.json(), endpoint: subscription.endpoint };
    const cache = await caches.open(CACHE);
    await cache.put(RECORD, Response.json(record));
  }
}
