// Small helpers for making and reading the page.

export { busy, h, say } from "./make.js";

/** @param {string} selector @param {ParentNode} [root] */
export const $ = (selector, root = document) => root.querySelector(selector);

/** @param {string} selector @param {ParentNode} [root] */
export const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
