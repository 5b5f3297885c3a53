// Quiet hours of <tocsin-preferences>: fetched with it, so that pages with a button alone do not pay for them.
export { inZone, quietPart } from "./assets/quiet-part.js";
