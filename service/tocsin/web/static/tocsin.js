// Tocsin's SDK: a page's side of a Web Push subscription, and elements to put into a page. Types: tocsin.d.ts
import "./assets/elements.js";

export { Tocsin } from "./assets/client.js";
export { ProblemError } from "./assets/request.js";
