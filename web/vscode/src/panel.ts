// The side panel: shows a talk, and does what is clicked in it. The page in it is `webview/panel.ts`.

import { randomBytes } from "node:crypto";
import * as vscode from "vscode";
import type { FromPage, ToPage } from "./messages";
import type { Talk, Turn } from "./talk";

export const VIEW = "docent.panel";

/** What the panel's buttons do besides asking. */
export interface Actions {
  signIn: () => void;
  open: (turn: Turn, marker: number) => Promise<void>;
  insert: (turn: Turn, marker: number) => Promise<void>;
  judge: (turn: Turn, helpful: boolean) => Promise<void>;
  visit: (address: string) => Promise<void>;
  ready: () => void;
}

export class Panel implements vscode.WebviewViewProvider {
  private view: vscode.WebviewView | null = null;
  private who: ToPage | null = null;

  constructor(
    private readonly extension: vscode.Uri,
    private readonly talk: Talk,
    private readonly actions: Actions,
  ) {}

  resolveWebviewView(view: vscode.WebviewView): void {
    this.view = view;
    const { webview } = view;
    webview.options = {
      enableScripts: true,
      localResourceRoots: ["dist", "media"].map((name) => vscode.Uri.joinPath(this.extension, name)),
    };
    const address = (...path: string[]) => webview.asWebviewUri(vscode.Uri.joinPath(this.extension, ...path)).toString();
    webview.html = page(address("dist", "panel.js"), address("media", "panel.css"), webview.cspSource);
    webview.onDidReceiveMessage((message: FromPage) => this.receive(message));
    view.onDidDispose(() => (this.view = null));
  }

  /** Show the panel, and put the cursor where questions are typed. */
  async focus(): Promise<void> {
    await vscode.commands.executeCommand(`${VIEW}.focus`);
    this.send({ kind: "focus" });
  }

  /** Show a turn as it is now; with `token` in it only so many more characters of its draft. */
  changed(turn: Turn, token?: string): void {
    this.send(token === undefined ? { kind: "turn", turn } : { kind: "token", id: turn.id, text: token });
  }

  /** Show the whole talk. */
  all(): void {
    this.send({ kind: "talk", turns: this.talk.turns });
  }

  /** Say who is signed in, or why nobody is. */
  say(text: string, signIn: boolean): void {
    this.who = { kind: "who", text, signIn };
    this.send(this.who);
  }

  private send(message: ToPage): void {
    void this.view?.webview.postMessage(message);
  }

  private receive(message: FromPage): void {
    if (message.kind === "ready") {
      this.all();
      if (this.who) this.send(this.who);
      this.actions.ready();
    } else if (message.kind === "ask") {
      if (message.text.trim()) this.talk.ask(message.text.trim());
    } else if (message.kind === "signIn") {
      this.actions.signIn();
    } else if (message.kind === "visit") {
      void this.actions.visit(message.address);
    } else {
      this.act(message);
    }
  }

  private act(message: Exclude<FromPage, { kind: "ready" | "ask" | "signIn" | "visit" }>): void {
    const turn = this.talk.find(message.id);
    if (!turn) return;
    if ("helpful" in message) void this.actions.judge(turn, message.helpful);
    else if ("marker" in message) void this.actions[message.kind](turn, message.marker);
    else if (message.kind === "stop") this.talk.stop(turn.id);
    else void this.talk.again(turn.id);
  }
}

// Nothing but this script runs in it, nothing is loaded from anywhere, and no text can be markup.
function page(script: string, style: string, source: string): string {
  const nonce = randomBytes(16).toString("base64url");
  const policy = `default-src 'none'; style-src ${source}; script-src 'nonce-${nonce}'; require-trusted-types-for 'script'; trusted-types 'none'`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width">
<link rel="stylesheet" href="${style}">
<title>Docent</title>
</head>
<body>
<main id="talk" aria-label="Questions and answers"></main>
<p id="who" role="status"></p>
<form id="ask">
<label for="question">Question</label>
<textarea id="question" rows="3" maxlength="4000" placeholder="Ask the documents"></textarea>
<button type="submit">Ask</button>
</form>
<script nonce="${nonce}" src="${script}"></script>
</body>
</html>`;
}
