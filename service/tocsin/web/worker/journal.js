// What this browser has shown and told. It holds nothing that the screen did not show, and forgets the oldest.

const JOURNAL = at("_tocsin/journal");
const MOST_CHAINS = 20;
const MOST_IDS = 200;

// Where storage is switched off, it lives as long as the worker.
let memory = nothing();
let turn = Promise.resolve();

function nothing() {
  return { shown: [], chains: {}, told: [], outbox: [] };
}

/** Who is not subscribed any more leaves nothing here. */
function forgetAll() {
  return inJournal((journal) => Object.assign(journal, nothing()));
}

/**
 * One change after another, so that two pushes at once lose nothing of each other.
 * @template T
 * @param {(journal: typeof memory) => T} change
 * @returns {Promise<T>}
 */
function inJournal(change) {
  const done = turn.then(async () => {
    const journal = await kept(JOURNAL);
    // A page may have erased it.
    memory = { ...(journal === undefined ? memory : nothing()), ...journal };
    const result = change(memory);
    forgetTheOldest(memory);
    await keep(JOURNAL, memory);
    return result;
  });
  turn = done.catch(() => null);
  return done;
}

function forgetTheOldest(journal) {
  journal.shown = journal.shown.slice(-MOST_IDS);
  journal.told = journal.told.slice(-MOST_IDS);
  journal.outbox = journal.outbox.slice(-MOST_IDS);
  for (const chain of Object.keys(journal.chains).slice(0, -MOST_CHAINS)) delete journal.chains[chain];
}

/**
 * A push comes twice now and then, and an alert after its own correction. Each push has to show something, or browsers
 * end the subscription; so the newest of the chain is shown again, without a sound, in its own place.
 * @returns {{card: object, again: boolean}}
 */
function newestOf(journal, card) {
  const last = journal.chains[card.chain];
  // An alert's id begins with its time.
  if (last && last.alert >= card.alert) return { card: last, again: true };
  delete journal.chains[card.chain];
  journal.chains[card.chain] = card;
  journal.shown.push(...card.ids);
  return { card, again: false };
}
