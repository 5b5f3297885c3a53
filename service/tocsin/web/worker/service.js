// Where the service is, and what this browser keeps of it. The lines above this one are the server's: SERVICE, READER and WORDS.

const CACHE = "tocsin";
const LOCAL = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/;
const BASE = serviceAddress(SERVICE);
const RECORD = at("_tocsin/subscription");
const SITE = at("v1/site");
// Whether this script is the whole worker. In a newsroom's own, other handlers may stand beside ours.
const ALONE = self.location.href.split(/[?#]/)[0] === at("sw.js");
const MOST_PATIENCE = 10_000;
const RIGHT_TO_LEFT = /^(ar|fa|he|ur)$/;

function at(path) {
  return new URL(path, BASE).href;
}

/** Once written by the server, it is right from whatever origin the script is taken in. */
function serviceAddress(written) {
  const own = new URL(".", self.location.href);
  if (!written) return own;
  const service = new URL(written);
  // One machine has several names, and who tries it out opens any of them.
  const same = LOCAL.test(own.hostname) && LOCAL.test(service.hostname) && own.port === service.port;
  return same ? own : service;
}

async function answered(path, { method = "GET", token, body, ...options } = {}) {
  const headers = { Accept: "application/json" };
  if (token) headers.Authorization = `Bearer ${token}`;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const response = await fetch(at(path), {
    method,
    headers,
    body: body === undefined ? undefined : JSON.stringify(body),
    credentials: "omit",
    referrerPolicy: "no-referrer",
    signal: AbortSignal.timeout(MOST_PATIENCE),
    ...options,
  });
  if (!response.ok) throw Object.assign(new Error(`${path} answered ${response.status}`), { status: response.status });
  return response.json();
}

/** Storage may be switched off (undefined) or full: whatever is kept is a help, and nothing waits for it to work. */
async function kept(url) {
  try {
    const cache = await caches.open(CACHE);
    return (await (await cache.match(url))?.json()) ?? null;
  } catch {
    return undefined;
  }
}

async function keep(url, value) {
  try {
    const cache = await caches.open(CACHE);
    await cache.put(url, new Response(JSON.stringify(value), { headers: { "Content-Type": "application/json" } }));
  } catch { /* as above */ }
}

/** What is kept of this browser's subscription; nothing where its reader has left. */
async function keptRecord() {
  const record = await kept(RECORD);
  return record?.ended ? undefined : record;
}

/** One at a time with the pages, which keep the same record. */
async function locked(work) {
  let begun = false;
  const begin = () => {
    begun = true;
    return work();
  };
  try {
    return await navigator.locks.request(`tocsin:${BASE.href}`, begin);
  } catch (error) {
    if (begun) throw error;
    return begin();
  }
}

async function freshSite() {
  const site = await answered("v1/site", { cache: "no-cache" });
  await keep(SITE, site);
  return site;
}

async function knownSite() {
  return (await kept(SITE)) ?? freshSite();
}

/** The words of the reader's language; a page that takes this in may have its own in `self.tocsinTexts`. */
async function wordsFor(record) {
  const wanted = [record?.preferences?.language, (await kept(SITE))?.language, "en"].map((each) => each?.toLowerCase().split("-")[0]);
  const lang = wanted.find((each) => each in WORDS);
  const word = (key) => self.tocsinTexts?.[`worker.${key}`] ?? WORDS[lang][`worker.${key}`] ?? WORDS.en[`worker.${key}`];
  return Object.assign(word, { lang, dir: RIGHT_TO_LEFT.test(lang) ? "rtl" : "auto" });
}
