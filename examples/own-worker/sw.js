importScripts("https://alerts.example.com/sw.js");

// A new worker waits for the last tab with the old one to close, and until then pushes go to the old one.
self.addEventListener("install", () => self.skipWaiting());

// From here on it is the site's own worker, as it was before. What is Tocsin's does not reach it.

self.addEventListener("push", (event) => {
  const { title = "The Example", url = "/" } = event.data?.json() ?? {};
  event.waitUntil(self.registration.showNotification(title, { data: { url } }));
});

self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  event.waitUntil(self.clients.openWindow(event.notification.data.url));
});
