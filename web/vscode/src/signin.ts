// Signing in without a password in the editor: a code that the person confirms on Docent's own page
// in the browser, where he is signed in (the flow of RFC 8628).

import { waited } from "./ask";
import { type Connection, json, send, Trouble } from "./server";

export interface Code {
  device_code: string;
  user_code: string;
  verification_uri: string;
  expires_in: number;
  interval: number;
}

const SLOWER_S = 5;

/** Ask for a code. `name` says on the page what wants to be let in.
 *
 * Throws a `Trouble`; 404 where the server lets nobody in this way.
 */
export function code(to: Connection, name: string, signal: AbortSignal): Promise<Code> {
  return json<Code>({ ...to, token: "" }, "/auth/device", { method: "POST", body: { name }, signal });
}

/** The token, once the person has confirmed the code.
 *
 * Throws a `Trouble` when he refused or took too long; a server that is away for a moment is asked on.
 */
export async function token(
  to: Connection, given: Code, signal: AbortSignal, wait: (ms: number, signal: AbortSignal) => Promise<void> = waited,
): Promise<string> {
  let interval = given.interval;
  for (let spent = 0; spent <= given.expires_in; spent += interval) {
    await wait(interval * 1000, signal);
    try {
      const told = await json<{ access_token: string }>({ ...to, token: "" }, "/auth/device/token", {
        method: "POST", body: { device_code: given.device_code }, signal,
      });
      return told.access_token;
    } catch (error) {
      if (!(error instanceof Trouble)) throw error;
      if (error.code === "slow_down") interval += SLOWER_S;
      else if (error.code !== "authorization_pending" && error.status !== 0 && error.status < 502) throw error;
    }
  }
  throw new Trouble(0, "The code has expired. Sign in again to get another.");
}

const FORM = /^docent_[0-9a-f]{16}_[0-9a-f]{64}$/;

/** What is wrong with a token that somebody typed; empty for nothing. */
export function wrong(text: string): string {
  return FORM.test(text.trim()) ? "" : "An API token begins with docent_ and is made on Docent's page, under API tokens.";
}

/** Whether the server takes a token.
 *
 * Throws a `Trouble` where it does not.
 */
export async function accepted(to: Connection): Promise<void> {
  (await send(to, "/api/v1/glossary")).resume();
}
