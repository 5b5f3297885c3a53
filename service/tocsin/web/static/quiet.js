// When quiet hours begin and end, right on the two days of the year when clocks change.

const MINUTE = 60_000;
const DAY = 1440 * MINUTE;

/** The wall clock of a zone as minutes since 1970 that have no zone. */
function wall(moment, zone) {
  const format = new Intl.DateTimeFormat("en-GB", { timeZone: zone, hourCycle: "h23", dateStyle: "short", timeStyle: "short" });
  const { year, month, day, hour, minute } = Object.fromEntries(format.formatToParts(moment).map(({ type, value }) => [type, Number(value)]));
  return Date.UTC(year, month - 1, day, hour, minute);
}

/** The first moment from `from` on at which the clock of `zone` shows `time` ("22:00"), or has jumped over it. */
function next(time, zone, from, late = false) {
  const [hours, minutes] = time.split(":").map(Number);
  const at = (moment) => wall(moment, zone) - Math.floor(wall(from, zone) / DAY) * DAY;
  let wanted = (hours * 60 + minutes) * MINUTE;
  if (at(from) >= wanted) wanted += DAY;
  // A day is 23 to 25 hours long, so a guess by the clock is off by a jump at most; where it was jumped over, by the rest of it.
  let moment = from + wanted - at(from);
  moment += wanted - at(moment);
  while (at(moment - MINUTE) >= wanted) moment -= MINUTE;
  while (at(moment) < wanted) moment += MINUTE;
  // Of an hour that comes twice, quiet hours begin in the first and end in the second.
  return late && at(moment + 60 * MINUTE) === wanted ? moment + 60 * MINUTE : moment;
}

/**
 * The quiet time that is now or comes next, in milliseconds since 1970.
 * @param {{start: string, end: string}} hours
 * @param {string} zone
 * @param {number} [now]
 */
export function quiet({ start, end }, zone, now = Date.now()) {
  const minute = Math.floor(now / MINUTE) * MINUTE;
  const [begins, ends] = [next(start, zone, minute - MINUTE), next(end, zone, minute, true)];
  if (ends < begins || begins <= minute) return { begins: minute, ends, isNow: true };
  return { begins, ends: next(end, zone, begins, true), isNow: false };
}
