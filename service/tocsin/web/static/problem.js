// A problem in words for a person.
import { ProblemError, request } from "./request.js";

export { ProblemError, request };

const sentence = (text) => (/[.!?…]$/.test(text.trim()) ? text.trim() : `${text.trim()}.`);

/**
 * A problem in words for a person.
 * @param {unknown} error
 * @returns {string}
 */
export function explain(error) {
  if (!(error instanceof ProblemError)) return sentence(error?.message || "Something went wrong");
  const parts = [error.title, error.detail === error.title ? "" : error.detail];
  parts.push(...error.errors.map(({ field, message }) => (field ? `${field}: ${message}` : message)));
  if (error.retryAfter) parts.push(`Try again in ${error.retryAfter} s`);
  return parts.filter(Boolean).map(sentence).join(" ") || sentence(error.code);
}
