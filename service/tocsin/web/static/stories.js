// Stories that are followed or muted. The service knows their ids; their names are what pages told this browser.

const names = new Map();

export const nameStory = (id, name) => name && names.set(id, name);

export const storyName = (id) => names.get(id) ?? id.replaceAll("-", " ");

/** Of the stories on a list alone: what else somebody reads about is kept nowhere. */
export const namesFor = ({ followed_stories: followed, muted_stories: muted }) =>
  [...names].filter(([id]) => hasStory(followed, id) || hasStory(muted, id));

/** Those that hold now: `[{story, until}]`. */
export const stories = (choices) => (choices ?? [])
  .map((choice) => (typeof choice === "string" ? { story: choice } : choice))
  .filter(({ until }) => !until || new Date(until) > new Date());

export const hasStory = (choices, id) => stories(choices).some(({ story }) => story === id);

const without = (choices, id) => (choices ?? []).filter((choice) => (choice.story ?? choice) !== id);

/**
 * The merge patch that puts a story on one of the lists, or takes it off: a story is not both followed and muted.
 * @param {"followed_stories"|"muted_stories"} list
 */
export function chooseStory(preferences, list, id, on) {
  const other = list === "muted_stories" ? "followed_stories" : "muted_stories";
  const patch = { [list]: [...without(preferences[list], id), ...(on ? [id] : [])] };
  if (on && hasStory(preferences[other], id)) patch[other] = without(preferences[other], id);
  return patch;
}
