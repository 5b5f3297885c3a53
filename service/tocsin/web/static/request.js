// One way to ask the service, and one error for everything that can go wrong.

/** An answer that is not the one asked for, or no answer at all (`code` is then "network"). */
export class ProblemError extends Error {
  /** @param {{status?: number, code?: string, title?: string, detail?: string, errors?: {field: string, message: string}[], retryAfter?: number|null, body?: any}} problem */
  constructor(problem) {
    super(problem.title || problem.detail || problem.code);
    Object.assign(this, { name: "ProblemError", status: 0, code: "unknown", title: "", detail: "", errors: [], retryAfter: null }, problem);
  }

  /** Of the same kind is also one that the SDK made, which brings a class of its own. */
  static [Symbol.hasInstance](error) {
    return error?.name === "ProblemError";
  }

  /** True when nobody knows whether the request arrived. */
  get isNetwork() {
    return this.code === "network";
  }
}

async function problemOf(response) {
  const { status } = response;
  const body = (await response.json().catch(() => null)) ?? {};
  const retryAfter = Number.parseInt(response.headers.get("Retry-After"), 10) || null;
  return new ProblemError({ code: `http_${status}`, title: `The service answered ${status}`, ...body, status, retryAfter, body });
}

/**
 * Ask for JSON; null where the answer has no body.
 * @param {string|URL} url
 * @param {{method?: string, token?: string, body?: unknown, type?: string, headers?: Record<string, string>, timeout?: number}} [options]
 * @returns {Promise<any>}
 */
export async function request(url, { method, token, body, type = "application/json", headers, timeout = 15000 } = {}) {
  const sent = { Accept: "application/json", ...headers };
  if (token) sent.Authorization = `Bearer ${token}`;
  if (body) sent["Content-Type"] = type;
  const signal = AbortSignal.timeout(timeout);
  let response;
  let text;
  try {
    response = await fetch(url, { method, headers: sent, body: body && JSON.stringify(body), credentials: "omit", referrerPolicy: "no-referrer", signal });
    text = response.ok && (await response.text());
  } catch {
    const title = signal.aborted ? "No answer in time" : "The service cannot be reached";
    throw new ProblemError({ code: "network", title, detail: "Check the connection and try again." });
  }
  if (!response.ok) throw await problemOf(response);
  try {
    return text ? JSON.parse(text) : null;
  } catch {
    throw new ProblemError({ status: response.status, code: "not_json", title: "The answer could not be read" });
  }
}
