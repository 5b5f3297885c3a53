// The parts of <tocsin-data>: fetched when somebody looks at them. What they share with tocsin.js has no state, so it is in both.
export { dataParts } from "./assets/data-parts.js";
