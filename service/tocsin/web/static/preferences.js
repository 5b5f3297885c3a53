// Preferences and the JSON merge patches (RFC 7396) that change them.

const isObject = (value) => value !== null && typeof value === "object" && !Array.isArray(value);

/** Two patches as one: what the second says goes before. */
export function joined(first, second) {
  const both = { ...first };
  for (const [name, value] of Object.entries(second)) {
    both[name] = isObject(value) && isObject(both[name]) ? joined(both[name], value) : value;
  }
  return both;
}

/** What a patch makes of a whole. */
export function applied(whole, patch) {
  const result = { ...whole };
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete result[name];
    else result[name] = isObject(value) ? applied(isObject(result[name]) ? result[name] : {}, value) : value;
  }
  return result;
}

/** One patch of many changes, each made from what those before it leave. */
export const together = (now, changes) => changes.reduce((sum, { change }) =>
  joined(sum, typeof change === "function" ? change(applied(now, sum)) : change), {});

/** A topic that the site has given up since would be refused, and the reader with it. */
export function stillOffered({ topics = [], topic_levels: levels, ...rest }, site) {
  const offered = new Set(site.topics.map(({ id }) => id));
  const own = Object.entries(levels ?? {}).filter(([id]) => offered.has(id));
  return { ...rest, topics: topics.filter((id) => offered.has(id)), topic_levels: Object.fromEntries(own) };
}
