/** Types of Tocsin's SDK, `/tocsin.js`. */

export type Level = "flash" | "breaking" | "update";

/**
 * What this browser has: `needs-home-screen` is an iPhone or iPad in a tab, `denied` a browser that was told to show no
 * notifications from here (or a private window), `unsupported` one that has no Web Push.
 */
export type State = "unsupported" | "needs-home-screen" | "denied" | "subscribed" | "unsubscribed";

export interface QuietHours {
  /** On the wall clock: "22:00". */
  start: string;
  end: string;
  /** The least level that comes through; null for none. */
  wake_for?: Level | null;
  then?: "defer" | "drop";
  /** IANA; by default that of the preferences. */
  time_zone?: string | null;
}

export interface DailyCap {
  count: number;
  flash_exempt?: boolean;
  time_zone?: string | null;
}

/** A story by its id, or until a moment (ISO 8601 with zone). */
export type StoryChoice = string | { story: string; until: string };

export interface Preferences {
  topics?: string[];
  min_level?: Level;
  topic_levels?: Record<string, Level>;
  time_zone?: string | null;
  quiet_hours?: QuietHours | null;
  daily_cap?: DailyCap | null;
  snoozed_until?: string | null;
  muted_stories?: StoryChoice[];
  followed_stories?: StoryChoice[];
  language?: string | null;
}

/** A JSON merge patch (RFC 7396): what is absent stays, what is null goes back to its default. */
export type Patch<T> = { [K in keyof T]?: (NonNullable<T[K]> extends unknown[] ? T[K] : NonNullable<T[K]> extends object ? Patch<NonNullable<T[K]>> : T[K]) | null };

export interface Topic {
  id: string;
  name: string;
  description?: string | null;
  default: boolean;
  /** Alerts of exactly that level, mean a day over the last 30 days; null while nobody knows. */
  per_day?: Record<Level, number> | null;
}

/** `GET /v1/site`. */
export interface Site {
  name: string;
  application_server_key: string;
  /** All in force, the present one first. */
  application_server_keys: string[];
  /** That alerts of the last 30 days were marked with. */
  languages: string[];
  topics: Topic[];
  levels: Level[];
  default_preferences: Preferences;
  limits: Record<string, number>;
  language?: string;
  /** IANA; of readers who named none. */
  time_zone?: string;
  receipts?: "off" | "aggregate" | "individual";
  /** The text that a reader agrees to when they subscribe; null where none is needed. */
  consent?: { text_version: string; text: string } | null;
  privacy_url?: string | null;
}

/** An alert, and what became of it in this browser. */
export interface HistoryEntry {
  alert: string;
  headline: string;
  level: Level;
  sent_at: string;
  outcome: string;
  reason: string | null;
  /** The same in English words. */
  why: string;
  /** What this browser told of it; kept only with `receipts: "individual"`. */
  receipts: ("shown" | "clicked" | "closed")[];
}

export interface ConnectOptions {
  /** The service's address; by default where this module came from, or the page's first connection. */
  base?: string | URL;
  /**
   * The worker (an address, also as a TrustedScriptURL), or its registration. By default `sw.js` of the service, or
   * `/tocsin/sw.js` on another origin. Rejects where the page is connected with another one.
   */
  serviceWorker?: string | URL | { toJSON(): string } | ServiceWorkerRegistration;
  /** Of a worker that nobody has registered yet; by default the folder of its script. */
  scope?: string;
  /** Words of the elements that go before ours, by their keys (`assets/words-en.json`). */
  texts?: Record<string, string>;
  /** BCP 47: the elements' language, unless an element has a `lang` of its own. */
  language?: string;
}

/** A browser's subscription at one Tocsin service. Dispatches `change` when `state` or `preferences` may have changed. */
export class Tocsin extends EventTarget {
  private constructor();

  /**
   * Reads what the site offers and what this browser has, and repairs what it has; the same object for the same `base`.
   * Never asks the reader for anything. Rejects with a ProblemError where the service cannot be reached.
   */
  static connect(options?: ConnectOptions): Promise<Tocsin>;

  readonly base: URL;
  readonly state: State;
  /** Whether a record is kept here, with which `history()`, `export()` and `erase()` work: also in a browser that blocks us. */
  readonly isKnown: boolean;
  readonly site: Site;
  /** The reader's, or what a new reader starts with. */
  readonly preferences: Preferences;
  /** Why the subscription could not be checked or repaired on this visit; null where all is well. */
  readonly problem: Error | null;

  /** Call it in a click and await nothing before: the browser's prompt comes up at once. */
  subscribe(preferences?: Preferences, options?: { consent?: boolean }): Promise<State>;

  /** Whether the reader agreed to the present text of `site.consent`. */
  readonly consent: boolean;

  /** Notes that a subscribed reader agrees to the text of `site.consent`, or takes it back. */
  agree(consent: boolean): Promise<State>;

  /** Changes are saved one after the other; a function gets the preferences as they are then. */
  update(change: Patch<Preferences> | ((now: Preferences) => Patch<Preferences>)): Promise<Preferences>;

  /** Counts also where the service cannot be told: a visit goes on with what is left to do, and heals nothing. */
  unsubscribe(): Promise<State>;

  /** Unsubscribes and forgets everything here; rejects, and changes nothing, unless the service has erased its part. */
  erase(): Promise<State>;

  /** A real push, to this browser alone. */
  test(): Promise<unknown>;

  /** What became of recent alerts in this browser, and why. */
  history(): Promise<HistoryEntry[]>;

  /** Everything that the service holds on this browser. */
  export(): Promise<{ [more: string]: unknown }>;
}

/**
 * An answer that is not the one asked for, or none at all (`code` is then "network"); also "push_service_unreachable",
 * where the browser's push service gave none within 30 seconds, and "not_subscribed". "ended": this browser was erased on
 * its reader's request, and only `subscribe()` brings it back.
 */
export class ProblemError extends Error {
  /** A URI (RFC 9457), where the service gave the answer. */
  readonly type?: string;
  readonly status: number;
  readonly code: string;
  readonly title: string;
  readonly detail: string;
  readonly errors: { field: string; message: string }[];
  readonly retryAfter: number | null;
  readonly body: unknown;
  readonly isNetwork: boolean;
}

/** An element of ours. Dispatches `tocsin-change` when it is ready and whenever state or preferences change. */
export interface TocsinElement extends HTMLElement {
  /** The connection to use; by default the page's, or that of the attributes `service` and `service-worker`. */
  tocsin: Tocsin | null;
}

export type ChangeEvent = CustomEvent<{ state: State; preferences: Preferences }>;

declare global {
  interface HTMLElementTagNameMap {
    "tocsin-subscribe": TocsinElement;
    "tocsin-preferences": TocsinElement;
    "tocsin-follow": TocsinElement;
    "tocsin-data": TocsinElement;
  }
  interface HTMLElementEventMap {
    "tocsin-change": ChangeEvent;
  }
  interface DocumentEventMap {
    "tocsin-change": ChangeEvent;
  }
}
