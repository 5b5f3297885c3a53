// One way to ask the service, and one error for everything that can go wrong.

/** An answer that is not the one asked for, or no answer at all (`code` is then "network"). */
export class ProblemError extends Error {
  /** @param {{status?: number, code?: string, title?: string, detail?: string, errors?: {field: string, message: string}[], retryAfter?: number|null, body?: any}} problem */
  constructor({ status = 0, code = "unknown", title = "", detail = "", errors = [], retryAfter = null, body = {} }) {
    super(title || detail || code);
    this.name = "ProblemError";
    Object.assign(this, { status, code, title, detail, errors, retryAfter, body });
  }

  /** True when nobody knows whether the request arrived. */
  get isNetwork() {
    return this.code === "network";
  }
}

async function problemOf(response) {
  const seconds = Number.parseInt(response.headers.get("Retry-After") ?? "", 10);
  const body = await response.json().catch(() => ({}));
  const known = body && typeof body === "object" ? body : {};
  return new ProblemError({
    status: response.status,
    code: known.code ?? `http_${response.status}`,
    title: known.title ?? `The service answered ${response.status}`,
    detail: known.detail ?? "",
    errors: Array.isArray(known.errors) ? known.errors : [],
    retryAfter: Number.isFinite(seconds) ? seconds : null,
    body: known,
  });
}

/**
 * Ask for JSON; null where the answer has no body.
 * @param {string|URL} url
 * @param {{method?: string, token?: string, body?: unknown, type?: string, headers?: Record<string, string>, timeout?: number}} [options]
 * @returns {Promise<any>}
 */
export async function request(url, { method = "GET", token, body, type = "application/json", headers = {}, timeout = 15000 } = {}) {
  const sent = { Accept: "application/json", ...headers };
  if (token) sent.Authorization = `Bearer ${token}`;
  if (body !== undefined) sent["Content-Type"] = type;
  let response;
  let text;
  try {
    response = await fetch(url, {
      method,
      headers: sent,
      body: body === undefined ? undefined : JSON.stringify(body),
      credentials: "omit",
      cache: "no-cache",
      signal: AbortSignal.timeout(timeout),
    });
    if (!response.ok) throw await problemOf(response);
    text = await response.text();
  } catch (error) {
    if (error instanceof ProblemError) throw error;
    throw new ProblemError({
      code: "network",
      title: error.name === "TimeoutError" ? "The service did not answer in time" : "The service cannot be reached",
      detail: "Check the connection and try again.",
    });
  }
  try {
    return text ? JSON.parse(text) : null;
  } catch {
    throw new ProblemError({ status: response.status, code: "not_json", title: "The service’s answer could not be read" });
  }
}
