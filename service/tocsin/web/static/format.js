// Numbers and times in words. Nothing here rounds up to "all".

const whole = new Intl.NumberFormat("en-GB");

/** @param {number} n */
export const count = (n) => whole.format(n ?? 0);

/** 99.97 % is 99.9 %: 100 % is only for all. @param {number} part @param {number} all */
export function percent(part, all) {
  if (!all) return "–";
  const value = (part / all) * 100;
  if (value > 0 && value < 0.1) return "<0.1 %";
  return `${Math.floor(value * 10) / 10} %`;
}

/** @param {number|null|undefined} s */
export function seconds(s) {
  if (s == null) return "–";
  if (s < 10) return `${s.toFixed(1)} s`;
  if (s < 120) return `${Math.round(s)} s`;
  if (s < 7200) return `${Math.round(s / 60)} min`;
  return `${Math.round(s / 3600)} h`;
}

/** @param {number|null|undefined} ms */
export const milliseconds = (ms) => (ms == null ? "–" : ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`);

/** @param {string|number|Date|null} time */
export function clock(time) {
  return time == null ? "–" : new Date(time).toLocaleTimeString("en-GB");
}

/** "12 min ago", then the date. @param {string} time */
export function ago(time) {
  const passed = (Date.now() - new Date(time).getTime()) / 1000;
  if (passed < 45) return "just now";
  if (passed < 3600) return `${Math.max(1, Math.round(passed / 60))} min ago`;
  if (passed < 86400) return `${Math.round(passed / 3600)} h ago`;
  return new Date(time).toLocaleDateString("en-GB", { day: "numeric", month: "short", year: "numeric" });
}

/** "quiet_hours" as words. @param {string} code */
export const words = (code) => code.replaceAll("_", " ");

const PUSH_SERVICES = { fcm: "Google (FCM)", mozilla: "Mozilla", apple: "Apple", wns: "Microsoft (WNS)" };

/** @param {string} name */
export const pushServiceName = (name) => PUSH_SERVICES[name] ?? name;
