// Signing in as the editor shows it: in the browser, or with a token that was made there.

import * as vscode from "vscode";
import type { Me } from "./answer";
import { type Connection, json, Trouble } from "./server";
import { accepted, type Code, code, token, wrong } from "./signin";

/** A token that the server takes; empty where the person changed his mind, or none is needed. */
export async function signIn(to: Connection): Promise<string> {
  const me = await json<Me>({ ...to, token: "" }, "/api/v1/me");
  if (!me.sign_in_url) {
    void vscode.window.showInformationMessage("This server asks nobody to sign in: ask right away.");
    return "";
  }
  const browser = { label: "In the browser", detail: "Docent's page asks you to confirm a code." };
  const typed = { label: "With an API token", detail: "Made on Docent's page, under API tokens." };
  const chosen = await vscode.window.showQuickPick([browser, typed], { title: `Sign in to ${to.base}` });
  if (!chosen) return "";
  return chosen === browser ? inBrowser(to) : byToken(to);
}

async function byToken(to: Connection): Promise<string> {
  const text = await vscode.window.showInputBox({
    title: `An API token for ${to.base}`, password: true, ignoreFocusOut: true, prompt: "Make one that may ask questions, search, read documents and give feedback.",
    validateInput: (value) => wrong(value) || null,
  });
  if (!text) return "";
  await accepted({ ...to, token: text.trim() });
  return text.trim();
}

async function inBrowser(to: Connection): Promise<string> {
  const stop = new AbortController();
  const given = await asked(to, stop.signal);
  if (!given || !(await toPage(given))) return "";
  const title = `Docent: confirm the code ${given.user_code} in the browser`;
  return vscode.window.withProgress({ location: vscode.ProgressLocation.Notification, title, cancellable: true }, async (_, cancelled) => {
    cancelled.onCancellationRequested(() => stop.abort(new Trouble(0, "")));
    try {
      return await token(to, given, stop.signal);
    } catch (error) {
      if (stop.signal.aborted) return "";
      throw error;
    }
  });
}

async function asked(to: Connection, signal: AbortSignal): Promise<Code | null> {
  try {
    return await code(to, `${vscode.env.appName} on ${vscode.env.remoteName ?? "this machine"}`, signal);
  } catch (error) {
    if (!(error instanceof Trouble) || error.status !== 404) throw error;
    throw new Trouble(404, "This server lets no editor in by a code. Make an API token on its page and sign in with that.");
  }
}

async function toPage(given: Code): Promise<boolean> {
  const open = "Open the page";
  const told = await vscode.window.showInformationMessage(
    `Your code is ${given.user_code}.`,
    { modal: true, detail: "Docent's page asks you for it. Whoever has the code could let himself in as you: give it to nobody." },
    open,
  );
  if (told !== open) return false;
  // A browser may forbid it; the code can be typed as well.
  void vscode.env.clipboard.writeText(given.user_code);
  await vscode.env.openExternal(vscode.Uri.parse(given.verification_uri, true));
  return true;
}
